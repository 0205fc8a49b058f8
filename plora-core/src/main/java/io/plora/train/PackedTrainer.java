package io.plora.train;

import io.plora.cost.ActivationPolicy;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedBatch;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One running group: adapters that share every pass of the frozen base model. They may differ in every field of their
 * configuration, join and leave between steps, and take any number of samples a step up to what their batch still lacks.
 *
 * <p>An adapter trained here ends where it ends alone, within rounding. Not thread-safe.
 */
public final class PackedTrainer {
    private final ModelConfig model;
    private final Kernels kernels;
    private final Decoder decoder;
    private final List<Training> members = new ArrayList<>();
    private @Nullable GroupTables tables;

    /** A group that keeps all activations. */
    public PackedTrainer(ModelConfig model, DecoderWeights weights, Kernels kernels) {
        this(model, weights, kernels, ActivationPolicy.KEEP_ALL);
    }

    /** @param policy what is kept of the forward pass; results are the same bits under each */
    public PackedTrainer(ModelConfig model, DecoderWeights weights, Kernels kernels, ActivationPolicy policy) {
        this.model = model;
        this.kernels = kernels;
        this.decoder = new Decoder(model, weights, kernels, policy);
    }

    /** Adapters of the group, in the order in which they joined. */
    public List<Training> members() {
        return List.copyOf(members);
    }

    /**
     * Takes a training in; it takes part from the next step on. Memory of larger batches than the next ones is let go of, as
     * the training may need it.
     */
    public void join(Training training) {
        if (members.contains(training)) {
            throw new IllegalArgumentException("Adapter (%s) is in the group already."
                    .formatted(training.config().id()));
        }
        members.add(training);
        decoder.release();
        tables = null;
    }

    /** Lets a training go; it keeps its state, an open batch too, and may join again. */
    public void leave(Training training) {
        if (!members.remove(training)) {
            throw new IllegalArgumentException("Adapter (%s) is not in the group."
                    .formatted(training.config().id()));
        }
        tables = null;
    }

    /**
     * One forward and backward pass over the given numbers of samples, and an optimizer step of each adapter whose batch is
     * full.
     *
     * <p>An adapter whose loss or gradient is not finite takes no optimizer step and is reported as failed; the others are not
     * touched by it. The caller lets it leave.
     *
     * @param samples how many samples each member takes; members that are not named take none
     * @throws IllegalArgumentException if the samples cannot be taken; then nothing is done
     */
    public StepReport step(Map<Training, Integer> samples) {
        requireTakes(samples);
        BatchBuilder builder = new BatchBuilder();
        Map<Training, Integer> taken = new LinkedHashMap<>();
        for (Training member : members) {
            builder.adapter();
            int count = samples.getOrDefault(member, 0);
            if (count > 0) {
                member.take(count, builder);
                taken.put(member, count);
            }
        }
        PackedBatch batch = builder.forTraining();
        float[] losses = decoder.lossesAndGradients(batch, tables());
        return optimize(batch, taken, losses);
    }

    private void requireTakes(Map<Training, Integer> samples) {
        if (samples.values().stream().allMatch(count -> count == 0)) {
            throw new IllegalArgumentException("A step takes at least one sample of one adapter.");
        }
        samples.forEach((training, count) -> {
            if (!members.contains(training)) {
                throw new IllegalArgumentException("Adapter (%s) is not in the group."
                        .formatted(training.config().id()));
            }
            training.requireTakes(count);
        });
    }

    private GroupTables tables() {
        if (tables == null) {
            tables = new GroupTables(members.stream().map(Training::weights).toList(), model.layers());
        }
        return tables;
    }

    private StepReport optimize(PackedBatch batch, Map<Training, Integer> taken, float[] losses) {
        List<Training> full = new ArrayList<>();
        Map<Training, String> failures = new LinkedHashMap<>();
        for (Training training : taken.keySet()) {
            double sum = sum(losses, batch, members.indexOf(training));
            training.addLoss(sum);
            if (!Double.isFinite(sum)) {
                failures.put(training, failure("loss", sum, training));
            } else if (training.isBatchFull()) {
                full.add(training);
            }
        }
        double[] norms =
                kernels.optimize(full.stream().map(Training::optimizerStep).toList());
        Map<Training, StepReport.Batch> ended = new LinkedHashMap<>();
        for (int i = 0; i < norms.length; i++) {
            Training training = full.get(i);
            if (Double.isFinite(norms[i])) {
                double learningRate = training.learningRate();
                ended.put(training, new StepReport.Batch(training.endBatch(), norms[i], learningRate));
            } else {
                failures.put(training, failure("gradient norm", norms[i], training));
            }
        }
        List<StepReport.Member> reports = new ArrayList<>();
        taken.forEach((training, count) -> reports.add(new StepReport.Member(
                training,
                count,
                batch.adapterRows(members.indexOf(training)),
                ended.get(training),
                failures.get(training))));
        return new StepReport(batch.rows(), List.copyOf(reports));
    }

    private static double sum(float[] losses, PackedBatch batch, int adapter) {
        double sum = 0;
        for (int row = batch.adapterStart(adapter); row < batch.adapterEnd(adapter); row++) {
            sum += losses[row];
        }
        return sum;
    }

    private static String failure(String what, double value, Training training) {
        return "The %s is (%s) at optimizer step (%d). Maybe lower the learning rate (%s) or the scale (%s)."
                .formatted(
                        what,
                        value,
                        training.position().optimizerSteps() + 1,
                        training.config().learningRate(),
                        training.config().scale());
    }

    /**
     * Losses of every sample under every adapter, packed like training: no dropout, no gradients.
     *
     * @param tokenBudget rows a pass; a sample longer than that takes a pass of its own
     * @return for each adapter and each sample the sum of -log p over the sample's answer tokens, in nats
     */
    public double[][] evaluate(List<AdapterWeights> adapters, List<Sample> samples, int tokenBudget) {
        double[][] losses = new double[adapters.size()][samples.size()];
        EvaluationPass pass = new EvaluationPass(adapters, samples, losses);
        for (int adapter = 0; adapter < adapters.size(); adapter++) {
            for (int sample = 0; sample < samples.size(); sample++) {
                if (pass.rows() > 0 && pass.rows() + samples.get(sample).rows() > tokenBudget) {
                    pass.run();
                    pass = new EvaluationPass(adapters, samples, losses);
                }
                pass.add(adapter, sample);
            }
        }
        if (pass.rows() > 0) {
            pass.run();
        }
        return losses;
    }

    /** One pass of an evaluation: some pairs of adapter and sample. */
    private final class EvaluationPass {
        private final List<AdapterWeights> adapters;
        private final List<Sample> samples;
        private final double[][] losses;
        private final BatchBuilder builder = new BatchBuilder();
        private final List<AdapterWeights> used = new ArrayList<>();
        private final List<int[]> pairs = new ArrayList<>();

        private EvaluationPass(List<AdapterWeights> adapters, List<Sample> samples, double[][] losses) {
            this.adapters = adapters;
            this.samples = samples;
            this.losses = losses;
        }

        private int rows() {
            return builder.rows();
        }

        private void add(int adapter, int sample) {
            AdapterWeights weights = adapters.get(adapter);
            if (used.isEmpty() || used.get(used.size() - 1) != weights) {
                used.add(weights);
                builder.adapter();
            }
            builder.sample(samples.get(sample), 0, weights.config(), 0, sample);
            pairs.add(new int[] {adapter, sample});
        }

        private void run() {
            PackedBatch batch = builder.forEvaluation();
            float[] rowLosses = decoder.losses(batch, new GroupTables(used, model.layers()));
            for (int i = 0; i < pairs.size(); i++) {
                double sum = 0;
                for (int row = batch.sequenceStart(i); row < batch.sequenceEnd(i); row++) {
                    sum += rowLosses[row];
                }
                losses[pairs.get(i)[0]][pairs.get(i)[1]] = sum;
            }
        }
    }

    /**
     * Logits of one token sequence under an adapter.
     *
     * @return (tokens, V), row-major
     */
    public float[] logits(AdapterWeights adapter, int[] tokens) {
        boolean[] answer = new boolean[tokens.length + 1];
        answer[tokens.length] = true;
        int[] extended = Arrays.copyOf(tokens, tokens.length + 1);
        PackedBatch batch = new BatchBuilder()
                .adapter()
                .sample(new Sample(extended, answer), 0, adapter.config(), 0, 0)
                .forEvaluation();
        return decoder.logits(batch, new GroupTables(List.of(adapter), model.layers()));
    }
}
