package io.plora.space;

import com.google.common.collect.ImmutableSortedSet;
import com.google.common.hash.HashCode;
import com.google.common.hash.Hashing;
import io.plora.kernels.OptimizerStep;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * One point of a search space: everything that makes one LoRA training differ from another.
 *
 * @param rank r, in [1, 256]
 * @param alpha numerator of the scale, positive
 * @param learningRate peak learning rate of AdamW, not negative
 * @param batchSize samples an optimizer step
 * @param dropout probability that an element of a LoRA term's input is dropped, in [0, 1)
 * @param targetModules the layers that carry a LoRA term
 * @param weightDecay decoupled weight decay of AdamW
 * @param warmupRatio share of the optimizer steps over which the learning rate rises, in [0, 1]
 * @param schedule how the learning rate goes on after warm-up
 * @param rankStabilized whether the scale is alpha / sqrt(r) instead of alpha / r (Kalajdzievski 2023)
 * @param loraPlusRatio learning rate of B over that of A (LoRA+, Hayou et al. 2024); 1 for plain LoRA
 * @param maxGradientNorm the adapter's gradient is scaled down to this norm; 0 for no clipping
 * @param optimizer update rule
 * @param seed of initial weights, data order and dropout
 */
public record LoraConfig(
        int rank,
        double alpha,
        double learningRate,
        int batchSize,
        double dropout,
        Set<TargetModule> targetModules,
        double weightDecay,
        double warmupRatio,
        Schedule schedule,
        boolean rankStabilized,
        double loraPlusRatio,
        double maxGradientNorm,
        OptimizerStep.Rule optimizer,
        long seed) {

    /** Largest rank that the kernels take. */
    public static final int MAX_RANK = 256;

    public LoraConfig {
        require(rank >= 1 && rank <= MAX_RANK, "rank", rank, "from 1 to " + MAX_RANK);
        require(alpha > 0 && Double.isFinite(alpha), "alpha", alpha, "positive");
        require(learningRate >= 0 && Double.isFinite(learningRate), "learningRate", learningRate, "zero or positive");
        require(batchSize >= 1, "batchSize", batchSize, "at least 1");
        require(dropout >= 0 && dropout < 1, "dropout", dropout, "at least 0 and below 1");
        require(!targetModules.isEmpty(), "targetModules", targetModules, "at least one module");
        require(weightDecay >= 0 && Double.isFinite(weightDecay), "weightDecay", weightDecay, "zero or positive");
        require(warmupRatio >= 0 && warmupRatio <= 1, "warmupRatio", warmupRatio, "from 0 to 1");
        require(loraPlusRatio > 0 && Double.isFinite(loraPlusRatio), "loraPlusRatio", loraPlusRatio, "positive");
        require(
                maxGradientNorm >= 0 && Double.isFinite(maxGradientNorm),
                "maxGradientNorm",
                maxGradientNorm,
                "zero (no clipping) or positive");
        targetModules = ImmutableSortedSet.copyOf(targetModules);
    }

    private static void require(boolean valid, String name, Object value, String expected) {
        if (!valid) {
            throw new IllegalArgumentException(
                    "LoRA configuration: %s (%s) must be %s.".formatted(name, value, expected));
        }
    }

    /** Factor of the low-rank term. */
    public double scale() {
        return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
    }

    /**
     * A stable name: the fields that people read, then a hash of all of them. It depends on nothing but the configuration.
     */
    public String id() {
        return String.format(
                Locale.ROOT,
                "r%d-a%s-lr%s-b%d-%s",
                rank,
                number(alpha),
                number(learningRate),
                batchSize,
                hash().toString().substring(0, 8));
    }

    /** Key of this configuration's random numbers: equal configurations draw equal ones. */
    public long key() {
        return hash().asLong();
    }

    /** Of an exact text: decimal digits of a double differ between releases of Java. */
    private HashCode hash() {
        String text = String.join(
                "|",
                Integer.toString(rank),
                Double.toHexString(alpha),
                Double.toHexString(learningRate),
                Integer.toString(batchSize),
                Double.toHexString(dropout),
                targetModules.stream().map(TargetModule::moduleName).collect(Collectors.joining(",")),
                Double.toHexString(weightDecay),
                Double.toHexString(warmupRatio),
                schedule.name(),
                Boolean.toString(rankStabilized),
                Double.toHexString(loraPlusRatio),
                Double.toHexString(maxGradientNorm),
                optimizer.name(),
                Long.toString(seed));
        return Hashing.sha256().hashString(text, StandardCharsets.UTF_8);
    }

    private static String number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e9
                ? Long.toString((long) value)
                : String.format(Locale.ROOT, "%.4g", value)
                        .replaceAll("0+(e|$)", "$1")
                        .replaceAll("\\.(e|$)", "$1");
    }

    /**
     * Starts from the usual defaults: rank 16, alpha 32, learning rate 2e-4, batch size 1, all seven target modules, AdamW with
     * a constant learning rate and gradients clipped to norm 1, seed 0; no dropout, weight decay or warm-up.
     */
    public static Builder builder() {
        return new Builder();
    }

    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.rank = rank;
        builder.alpha = alpha;
        builder.learningRate = learningRate;
        builder.batchSize = batchSize;
        builder.dropout = dropout;
        builder.targetModules = targetModules;
        builder.weightDecay = weightDecay;
        builder.warmupRatio = warmupRatio;
        builder.schedule = schedule;
        builder.rankStabilized = rankStabilized;
        builder.loraPlusRatio = loraPlusRatio;
        builder.maxGradientNorm = maxGradientNorm;
        builder.optimizer = optimizer;
        builder.seed = seed;
        return builder;
    }

    /** Builds a {@link LoraConfig}; values are checked in {@link #build()}. */
    public static final class Builder {
        private int rank = 16;
        private double alpha = 32;
        private double learningRate = 2e-4;
        private int batchSize = 1;
        private double dropout;
        private Set<TargetModule> targetModules = EnumSet.allOf(TargetModule.class);
        private double weightDecay;
        private double warmupRatio;
        private Schedule schedule = Schedule.CONSTANT;
        private boolean rankStabilized;
        private double loraPlusRatio = 1;
        private double maxGradientNorm = 1;
        private OptimizerStep.Rule optimizer = OptimizerStep.Rule.ADAMW;
        private long seed;

        private Builder() {}

        public Builder withRank(int rank) {
            this.rank = rank;
            return this;
        }

        public Builder withAlpha(double alpha) {
            this.alpha = alpha;
            return this;
        }

        public Builder withLearningRate(double learningRate) {
            this.learningRate = learningRate;
            return this;
        }

        public Builder withBatchSize(int batchSize) {
            this.batchSize = batchSize;
            return this;
        }

        public Builder withDropout(double dropout) {
            this.dropout = dropout;
            return this;
        }

        public Builder withTargetModules(Collection<TargetModule> targetModules) {
            this.targetModules = Set.copyOf(targetModules);
            return this;
        }

        public Builder withWeightDecay(double weightDecay) {
            this.weightDecay = weightDecay;
            return this;
        }

        public Builder withWarmupRatio(double warmupRatio) {
            this.warmupRatio = warmupRatio;
            return this;
        }

        public Builder withSchedule(Schedule schedule) {
            this.schedule = schedule;
            return this;
        }

        public Builder withRankStabilized(boolean rankStabilized) {
            this.rankStabilized = rankStabilized;
            return this;
        }

        public Builder withLoraPlusRatio(double loraPlusRatio) {
            this.loraPlusRatio = loraPlusRatio;
            return this;
        }

        public Builder withMaxGradientNorm(double maxGradientNorm) {
            this.maxGradientNorm = maxGradientNorm;
            return this;
        }

        public Builder withOptimizer(OptimizerStep.Rule optimizer) {
            this.optimizer = optimizer;
            return this;
        }

        public Builder withSeed(long seed) {
            this.seed = seed;
            return this;
        }

        public LoraConfig build() {
            return new LoraConfig(
                    rank,
                    alpha,
                    learningRate,
                    batchSize,
                    dropout,
                    targetModules,
                    weightDecay,
                    warmupRatio,
                    schedule,
                    rankStabilized,
                    loraPlusRatio,
                    maxGradientNorm,
                    optimizer,
                    seed);
        }
    }
}
