package io.plora.space;

import com.google.common.collect.ImmutableList;
import com.google.common.hash.Hashing;
import com.google.common.primitives.Booleans;
import com.google.common.primitives.Doubles;
import com.google.common.primitives.Ints;
import com.google.common.primitives.Longs;
import io.plora.kernels.OptimizerStep;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.function.DoubleFunction;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Configurations drawn at random: scales log-uniformly from a range, shares uniformly from a range, all else from choices.
 *
 * <p>A value depends on the seed, the number of its configuration and its field alone: neither drawing more configurations
 * nor varying another field changes it. Ranges are checked when they are named; each method may be called once, except those
 * for target modules.
 */
public final class RandomSpace extends SearchSpace {
    private final int count;
    private final long seed;
    /** Of each field its alternatives, equally likely; each goes from a number in [0, 1) to a value. */
    private final Dimensions<List<DoubleFunction<UnaryOperator<LoraConfig>>>> dimensions;

    RandomSpace(int count, long seed, Dimensions<List<DoubleFunction<UnaryOperator<LoraConfig>>>> dimensions) {
        if (count < 1) {
            throw new IllegalArgumentException("Search space: count (%d) must be at least 1.".formatted(count));
        }
        this.count = count;
        this.seed = seed;
        this.dimensions = dimensions;
    }

    public RandomSpace rank(int... choices) {
        return choice(Field.RANK, Ints.asList(choices));
    }

    /** Log-uniform. */
    public RandomSpace alpha(double low, double high) {
        return logUniform(Field.ALPHA, low, high);
    }

    /** Alpha as a multiple of the rank, log-uniform. */
    public RandomSpace alphaOverRank(double low, double high) {
        return logUniform(Field.ALPHA_OVER_RANK, low, high);
    }

    /** Log-uniform. */
    public RandomSpace learningRate(double low, double high) {
        return logUniform(Field.LEARNING_RATE, low, high);
    }

    public RandomSpace batchSize(int... choices) {
        return choice(Field.BATCH_SIZE, Ints.asList(choices));
    }

    /** Uniform. */
    public RandomSpace dropout(double low, double high) {
        return uniform(Field.DROPOUT, low, high);
    }

    /** Adds one alternative, by names such as {@code q_proj}; call again for another. */
    public RandomSpace targetModules(String... names) {
        return targetModules(Field.modules(List.of(names)));
    }

    /** Adds one alternative; call again for another. */
    public RandomSpace targetModules(Collection<TargetModule> modules) {
        return new RandomSpace(
                count,
                seed,
                dimensions.replace(
                        Field.TARGET_MODULES,
                        ImmutableList.<DoubleFunction<UnaryOperator<LoraConfig>>>builder()
                                .addAll(dimensions.get(Field.TARGET_MODULES, List.of()))
                                .add(constant(Field.TARGET_MODULES, modules))
                                .build()));
    }

    /** Log-uniform. */
    public RandomSpace weightDecay(double low, double high) {
        return logUniform(Field.WEIGHT_DECAY, low, high);
    }

    /** Uniform. */
    public RandomSpace warmupRatio(double low, double high) {
        return uniform(Field.WARMUP_RATIO, low, high);
    }

    public RandomSpace schedule(Schedule... choices) {
        return choice(Field.SCHEDULE, List.of(choices));
    }

    public RandomSpace rankStabilized(boolean... choices) {
        return choice(Field.RANK_STABILIZED, Booleans.asList(choices));
    }

    /** Log-uniform. */
    public RandomSpace loraPlusRatio(double low, double high) {
        return logUniform(Field.LORA_PLUS_RATIO, low, high);
    }

    public RandomSpace maxGradientNorm(double... choices) {
        return choice(Field.MAX_GRADIENT_NORM, Doubles.asList(choices));
    }

    public RandomSpace optimizer(OptimizerStep.Rule... choices) {
        return choice(Field.OPTIMIZER, List.of(choices));
    }

    /** Seeds of the trainings, not of the draw. */
    public RandomSpace seeds(long... choices) {
        return choice(Field.SEED, Longs.asList(choices));
    }

    private <T> RandomSpace choice(Field<T> field, List<T> choices) {
        GridSpace.requireSome(field, choices);
        return with(field, choices.stream().map(value -> constant(field, value)).toList());
    }

    private static <T> DoubleFunction<UnaryOperator<LoraConfig>> constant(Field<T> field, T value) {
        UnaryOperator<LoraConfig> setting = field.setTo(value);
        return unit -> setting;
    }

    private RandomSpace uniform(Field<Double> field, double low, double high) {
        requireRange(field, low, high);
        return with(field, List.of(unit -> field.setTo(low + unit * (high - low))));
    }

    private RandomSpace logUniform(Field<Double> field, double low, double high) {
        requireRange(field, low, high);
        if (low <= 0) {
            throw new IllegalArgumentException(
                    "Search space: (%s) is drawn log-uniformly, its low end (%s) must be positive."
                            .formatted(field, low));
        }
        // strict: the last bit would change ids from machine to machine
        return with(field, List.of(unit -> field.setTo(low * StrictMath.pow(high / low, unit))));
    }

    private static void requireRange(Field<Double> field, double low, double high) {
        if (!(low <= high)) {
            throw new IllegalArgumentException(
                    "Search space: the range of (%s) is from (%s) to (%s). Maybe swap the two."
                            .formatted(field, low, high));
        }
        field.setTo(low);
        field.setTo(high);
    }

    private RandomSpace with(Field<?> field, List<DoubleFunction<UnaryOperator<LoraConfig>>> alternatives) {
        return new RandomSpace(count, seed, dimensions.with(field, alternatives));
    }

    @Override
    Stream<LoraConfig> points() {
        return IntStream.range(0, count).mapToObj(this::draw);
    }

    private LoraConfig draw(int number) {
        return GridSpace.apply(dimensions.fields().stream()
                .map(field -> draw(dimensions.get(field), unit(number, field)))
                .toList());
    }

    private static UnaryOperator<LoraConfig> draw(
            List<DoubleFunction<UnaryOperator<LoraConfig>>> alternatives, double unit) {
        double scaled = unit * alternatives.size();
        int chosen = (int) scaled;
        return alternatives.get(chosen).apply(scaled - chosen);
    }

    /** A number in [0, 1). Hashing rather than a generator: any one can be drawn without those before it. */
    private double unit(int number, Field<?> field) {
        long bits = Hashing.sha256()
                .newHasher()
                .putLong(seed)
                .putInt(number)
                .putString(field.name(), StandardCharsets.UTF_8)
                .hash()
                .asLong();
        return (bits >>> 11) * 0x1p-53;
    }

    @Override
    String whyEmpty() {
        throw new IllegalStateException("A random space has at least one configuration.");
    }
}
