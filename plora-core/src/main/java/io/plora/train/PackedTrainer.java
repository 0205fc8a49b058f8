package io.plora.train;

import io.plora.cost.ActivationPolicy;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
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
    private final SampleLengths alike;
    private final PassLimit limit = new PassLimit();
    private final List<Training> members = new ArrayList<>();
    private @Nullable GroupTables tables;
    private int reserved;

    /** A group that keeps all activations. */
    public PackedTrainer(ModelConfig model, DecoderWeights weights, Kernels kernels) {
        this(model, weights, kernels, ActivationPolicy.KEEP_ALL);
    }

    /** @param policy what is kept of the forward pass; results are the same bits under each */
    public PackedTrainer(ModelConfig model, DecoderWeights weights, Kernels kernels, ActivationPolicy policy) {
        this.model = model;
        this.kernels = kernels;
        this.decoder = new Decoder(model, weights, kernels, policy);
        this.alike = SampleLengths.alike(model, (int) weights.rotary().dim(0));
    }

    /** Adapters of the group, in the order in which they joined. */
    public List<Training> members() {
        return List.copyOf(members);
    }

    /** Takes a training in; it takes part from the next step on. */
    public void join(Training training) {
        if (members.contains(training)) {
            throw new IllegalArgumentException("Adapter (%s) is in the group already."
                    .formatted(training.config().id()));
        }
        members.add(training);
        limit.lift();
        tables = null;
    }

    /** Lets go of the memory of activations; the next pass takes what it needs. */
    public void release() {
        decoder.release();
        limit.lift();
    }

    /**
     * Says how many tokens passes will have at most. Memory is laid out for so many when next it has to be, if there is room,
     * so that later passes find it as it is; a pass may have more all the same.
     */
    public void reserve(int tokens) {
        reserved = tokens;
    }

    /** What {@link #reserve} was told last, 0 where that proved too much. */
    public int reserved() {
        return reserved;
    }

    /** Lets a training go; it keeps its state, an open batch too, and may join again. */
    public void leave(Training training) {
        if (!members.remove(training)) {
            throw new IllegalArgumentException("Adapter (%s) is not in the group."
                    .formatted(training.config().id()));
        }
        limit.lift();
        tables = null;
    }

    /**
     * One forward and backward pass over the given numbers of samples, and an optimizer step of each adapter whose batch is
     * full. Where memory turns out to be too small for the pass, it is made in several.
     *
     * <p>An adapter whose loss or gradient is not finite is reported as failed, and its batch stays open; the others are not
     * touched by it. The caller lets it leave and uses nothing of it.
     *
     * @param samples how many samples each member takes; members that are not named take none
     * @throws IllegalArgumentException if the samples cannot be taken; then nothing is done
     * @throws OutOfMemoryError if memory does not even hold a pass of one sample
     */
    public StepReport step(Map<Training, Integer> samples) {
        requireTakes(samples);
        StepTally tally = new StepTally(kernels, members());
        Map<Training, Integer> left = new LinkedHashMap<>(samples);
        left.values().removeIf(count -> count == 0);
        while (!left.isEmpty()) {
            Map<Training, Integer> pass = nextPass(left);
            PackedBatch batch = pack(pass);
            Tensor losses = orNull(batch, () -> decoder.forward(batch, tables()));
            if (losses == null) {
                continue;
            }
            decoder.backward(batch, tables());
            tally.add(pass, batch, losses);
            pass.forEach((training, count) -> {
                training.take(count);
                left.computeIfPresent(training, (key, before) -> before.equals(count) ? null : before - count);
            });
        }
        return optimize(tally);
    }

    /** As many of the samples as a pass may have, in the members' order. */
    private Map<Training, Integer> nextPass(Map<Training, Integer> left) {
        Map<Training, Integer> pass = new LinkedHashMap<>();
        int rows = 0;
        for (Training member : members) {
            int wanted = left.getOrDefault(member, 0);
            int count = 0;
            while (count < wanted && limit.admits(rows, member.rowsOfNext(count))) {
                rows += member.rowsOfNext(count);
                count++;
            }
            if (count > 0) {
                pass.put(member, count);
            }
            if (count < wanted) {
                break;
            }
        }
        return pass;
    }

    private PackedBatch pack(Map<Training, Integer> pass) {
        BatchBuilder builder = new BatchBuilder(lengths(pass));
        for (Training member : members) {
            builder.adapter(!member.hasOpenBatch());
            if (pass.containsKey(member)) {
                member.pack(pass.get(member), builder);
            }
        }
        return builder.forTraining();
    }

    /** Those by which the pass may come again and be replayed, if memory is laid out for them. */
    private SampleLengths lengths(Map<Training, Integer> pass) {
        int samples = pass.values().stream().mapToInt(count -> count).sum();
        if (!kernels.replays() || samples > alike.samples()) {
            return SampleLengths.OWN;
        }
        int rows = pass.entrySet().stream()
                .mapToInt(entry -> entry.getKey().rowsOfNext(entry.getValue(), alike))
                .sum();
        return rows <= reserved ? alike : SampleLengths.OWN;
    }

    /**
     * The result of a forward pass, or null where memory was too small: another attempt is to do without what is reserved, or
     * if nothing is, with smaller passes.
     */
    private <T> @Nullable T orNull(PackedBatch batch, Supplier<T> forward) {
        decoder.reserve(reserved);
        try {
            return forward.get();
        } catch (OutOfMemoryError e) {
            decoder.release();
            if (reserved >= batch.rows()) { // rows of padding count too
                reserved = 0;
            } else {
                limit.lower(batch, e);
            }
            return null;
        }
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

    private StepReport optimize(StepTally tally) {
        List<Training> full =
                tally.trainings().stream().filter(Training::isBatchFull).toList();
        double[] norms =
                kernels.optimize(full.stream().map(Training::optimizerStep).toList());
        tally.sumLosses();
        List<StepReport.Member> reports = new ArrayList<>();
        for (Training training : tally.trainings()) {
            StepTally.Part part = tally.part(training);
            training.addLoss(part.loss());
            int ended = full.indexOf(training);
            double norm = ended < 0 ? 0 : norms[ended];
            String failure = failure(training, part.loss(), norm);
            StepReport.Batch batch = null;
            if (failure == null && ended >= 0) {
                double learningRate = training.learningRate();
                batch = new StepReport.Batch(training.endBatch(), norm, learningRate);
            }
            reports.add(new StepReport.Member(training, part.samples(), part.rows(), batch, failure));
        }
        return new StepReport(tally.rows(), List.copyOf(reports));
    }

    private static @Nullable String failure(Training training, double loss, double norm) {
        if (!Double.isFinite(loss)) {
            return failure("loss", loss, training);
        }
        return Double.isFinite(norm) ? null : failure("gradient norm", norm, training);
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
        Map<List<AdapterWeights>, GroupTables> known = new HashMap<>();
        int next = 0;
        while (next < adapters.size() * samples.size()) {
            EvaluationPass pass = new EvaluationPass(adapters, samples, next, tokenBudget, limit);
            GroupTables of = known.computeIfAbsent(pass.adapters(), used -> new GroupTables(used, model.layers()));
            float[] ofRows = orNull(pass.batch(), () -> decoder.losses(pass.batch(), of));
            if (ofRows != null) {
                pass.sum(ofRows, losses);
                next = pass.end();
            }
        }
        return losses;
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
