package io.plora.train;

import com.google.common.math.IntMath;
import io.plora.adapter.PeftAdapter;
import io.plora.data.DataOrder;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.OptimizerStep;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.math.RoundingMode;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * One adapter's way through its data: which samples come next, when a batch is full, which learning rate applies.
 *
 * <p>Batches do not span epochs: with n samples and batch size b an epoch has ceil(n / b) optimizer steps, the last batch may
 * be short. A batch can be taken in several parts (gradient accumulation); its loss is divided by the answer tokens of the
 * whole batch, so the parts do not change the result.
 */
public final class Training {

    /**
     * How far a training is, by its ended batches.
     *
     * @param epoch epochs ended
     * @param samples samples of the running epoch that are in ended batches
     * @param optimizerSteps optimizer steps done
     */
    public record Position(int epoch, int samples, long optimizerSteps) {
        public static final Position START = new Position(0, 0, 0);
    }

    private final AdapterWeights weights;
    private final Dataset data;
    private final int epochs;
    private final DataOrder dataOrder;
    private Position position;
    private int[] order;
    private int batchSamples; // taken of the open batch
    private double batchLoss; // sum over its answer tokens so far

    public Training(AdapterWeights weights, Dataset data, int epochs, Position position) {
        if (data.size() == 0) {
            throw new IllegalArgumentException("Training data (%s) has no samples.".formatted(data.name()));
        }
        if (data.samples().stream().anyMatch(sample -> sample.rows() == 0)) {
            throw new IllegalArgumentException(
                    "Training data (%s) has samples without an answer token. Maybe leave them out."
                            .formatted(data.name()));
        }
        if (epochs < 1) {
            throw new IllegalArgumentException("Number of epochs (%d) must be at least 1.".formatted(epochs));
        }
        if (position.epoch() > epochs || position.samples() >= data.size()) {
            throw new IllegalArgumentException(
                    "Training data (%s) of (%d) samples and (%d) epochs end before position (%s). Maybe they have changed."
                            .formatted(data.name(), data.size(), epochs, position));
        }
        this.weights = weights;
        this.data = data;
        this.epochs = epochs;
        this.position = position;
        this.dataOrder = new DataOrder(config().seed(), data.size());
        this.order = dataOrder.epoch(position.epoch());
    }

    /** All of a training in host memory, to go on with it in another group. */
    public record Snapshot(
            LoraConfig config,
            float[] parameters,
            float[] firstMoment,
            float[] secondMoment,
            Position position,
            @Nullable OpenBatch openBatch) {

        /** The adapter as it was after its last optimizer step. */
        public PeftAdapter toPeftAdapter(ModelConfig model, String baseModel) {
            return AdapterWeights.toPeftAdapter(AdapterLayout.of(model, config), config, parameters, baseModel);
        }
    }

    /** A batch of which some samples have been taken. */
    public record OpenBatch(int samples, double loss, float[] gradients) {}

    /** Goes on with a training where it was. */
    public static Training resume(ModelConfig model, Kernels kernels, Dataset data, int epochs, Snapshot snapshot) {
        AdapterWeights weights = AdapterWeights.of(model, snapshot.config(), kernels, snapshot.parameters());
        weights.setMoments(snapshot.firstMoment(), snapshot.secondMoment());
        Training training = new Training(weights, data, epochs, snapshot.position());
        OpenBatch open = snapshot.openBatch();
        if (open != null) {
            weights.setGradients(open.gradients());
            training.batchSamples = open.samples();
            training.batchLoss = open.loss();
        }
        return training;
    }

    public Snapshot snapshot() {
        return new Snapshot(
                config(),
                weights.parameters(),
                weights.firstMoment(),
                weights.secondMoment(),
                position,
                hasOpenBatch() ? new OpenBatch(batchSamples, batchLoss, weights.gradients()) : null);
    }

    public AdapterWeights weights() {
        return weights;
    }

    public LoraConfig config() {
        return weights.config();
    }

    public Position position() {
        return position;
    }

    /** Whether all epochs are done. */
    public boolean isDone() {
        return position.epoch() >= epochs;
    }

    /** Whether samples of an unfinished batch have been taken. */
    public boolean hasOpenBatch() {
        return batchSamples > 0;
    }

    /** Samples that the open batch still lacks. */
    public int batchRemaining() {
        return isDone() ? 0 : batchSize() - batchSamples;
    }

    private int batchSize() {
        return Math.min(config().batchSize(), data.size() - position.samples());
    }

    /** Optimizer steps of the whole training. */
    public long totalSteps() {
        return (long) epochs * IntMath.divide(data.size(), config().batchSize(), RoundingMode.CEILING);
    }

    /** Learning rate of the A matrices at the next optimizer step. */
    public double learningRate() {
        long warmup = (long) Math.ceil(config().warmupRatio() * totalSteps());
        return config().learningRate() * config().schedule().factor(position.optimizerSteps(), warmup, totalSteps());
    }

    /** Refuses numbers of samples that {@link #take} cannot take. */
    void requireTakes(int count) {
        if (count < 0 || count > batchRemaining()) {
            throw new IllegalArgumentException("Adapter (%s) was asked for (%d) samples, but its open batch lacks (%d)."
                    .formatted(config().id(), count, batchRemaining()));
        }
    }

    /** Rows of one of the next samples of the open batch. */
    int rowsOfNext(int index) {
        return sample(batchSamples + index).rows();
    }

    /** Rows that the next samples of the open batch take. */
    int rowsOfNext(int count, SampleLengths lengths) {
        return IntStream.range(0, count)
                .map(i -> lengths.of(sample(batchSamples + i)))
                .sum();
    }

    /**
     * Adds the next samples of the open batch to a pass; {@link #take} counts them as done. Where lengths are rounded, so that passes
     * have the same shape more often, shorter ones come first.
     */
    void pack(int count, BatchBuilder batch) {
        float weight = 1f / batchAnswerTokens();
        int first = position.samples() + batchSamples;
        IntStream next = Arrays.stream(order, first, first + count);
        if (batch.lengths().round()) {
            next = next.boxed().sorted(Comparator.comparingInt(this::rows)).mapToInt(index -> index);
        }
        next.forEach(index -> batch.sample(data.samples().get(index), weight, config(), position.epoch(), index));
    }

    private int rows(int index) {
        return data.samples().get(index).rows();
    }

    void take(int count) {
        batchSamples += count;
    }

    private int batchAnswerTokens() {
        int sum = 0;
        for (int i = 0; i < batchSize(); i++) {
            sum += sample(i).answerTokens();
        }
        return sum;
    }

    private Sample sample(int inBatch) {
        return data.samples().get(order[position.samples() + inBatch]);
    }

    void addLoss(double sum) {
        batchLoss += sum;
    }

    /** Whether all samples of the batch have been taken, so that the optimizer's turn has come. */
    boolean isBatchFull() {
        return !isDone() && batchSamples == batchSize();
    }

    OptimizerStep optimizerStep() {
        double learningRate = learningRate();
        return new OptimizerStep(
                weights.state(),
                config().optimizer(),
                learningRate,
                learningRate * config().loraPlusRatio(),
                config().weightDecay(),
                config().maxGradientNorm(),
                position.optimizerSteps() + 1);
    }

    /** Gives the adapter's memory back; the training cannot go on, but for from a {@link #snapshot} taken before. */
    public void release() {
        weights.release();
    }

    /**
     * Ends the full batch after its optimizer step.
     *
     * @return the batch's loss per answer token
     */
    double endBatch() {
        double loss = batchLoss / batchAnswerTokens();
        int samples = position.samples() + batchSamples;
        boolean epochEnds = samples == data.size();
        position = new Position(
                position.epoch() + (epochEnds ? 1 : 0), epochEnds ? 0 : samples, position.optimizerSteps() + 1);
        if (epochEnds && !isDone()) {
            order = dataOrder.epoch(position.epoch());
        }
        batchSamples = 0;
        batchLoss = 0;
        return loss;
    }
}
