package io.plora.cost;

import io.plora.model.ModelConfig;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * Time of an iteration of this engine on a GPU, from operations over achievable rate and bytes over achievable
 * bandwidth (roofline model, Williams et al. 2009). Parts that the device does one after the other are summed; within a
 * part the slower resource counts; where the host takes longer to launch it all, the host counts:
 *
 * <pre>
 * T = max(products + attention + pointwise + low-rank + loss + optimizer + communication + launches, host)
 * products  = sqrt(compute^2 + traffic^2)
 *             compute 2 x (2 x values of all matrices) x tokens / rate    forward, and backward to the inputs only
 *             traffic (2 x bytes of all matrices + inputs and outputs) / bandwidth
 * attention = 14 x query size x layers x pairs / (0.1 x rate)      two products forward, five backward
 *             layers x tokens x 7 x 10 ns for tiles that are not full
 * pointwise = bytes between the products / bandwidth
 * low-rank  = sqrt(compute^2 + traffic^2)
 *             compute 3 x {@link GroupWork#lowRankOperations} / (0.5 x rate)
 *             traffic inputs and outputs, and 12 bytes a parameter:
 *                     bf16 weights twice, float32 gradient read and written
 * loss      = output layer as products, logits and their gradient written and read in float32
 * optimizer = 38 bytes x {@link GroupWork#steppedParameters} / (1.1 x bandwidth)
 * communication = two all-reduces of the hidden states a layer and pass, gathers of low-rank activations
 * launches  = 44 kernels a layer, however many adapters; 1.5 ms to pack rows, plan launches and read results
 * host      = 1.5 ms, and 6.5 microseconds a kernel
 * </pre>
 *
 * <p>Passes that come again are replayed as graphs: then the host takes 0.5 ms. They do where a
 * pass has at most four sequences (eight where a layer has at most 64 million parameters) and, with their mean length in
 * multiples of 8 (16) as the number of lengths there are, at most 64 shapes. That makes the time fall where a batch becomes
 * small enough; {@link #bound} is the time if all passes came again.
 *
 * <p>What the activation policy computes again is added; a parallel degree divides matrices, heads and adapters, not the
 * residual stream. For a frozen matrix, compute over traffic is the number of tokens over a constant of the device,
 * the same for every matrix of every layer: the root of the summed squares over the whole model is the sum over its
 * matrices. A single micro-batch is charged with reading all weights, which is what accumulation costs.
 *
 * <p>Immutable and cheap: well below a microsecond an evaluation.
 */
public final class RooflineTime implements PartedTime {
    /** Degrees up to this are prepared. */
    private static final int PREPARED_DEGREES = 16;

    private final ModelConfig model;
    private final DeviceSpec device;
    private final WeightFormat weightFormat;
    private final ActivationPolicy activationPolicy;
    private final PassRates[] training;
    private final PassRates[] evaluation;
    private final boolean replays;

    /**
     * @param model shape of the base model, in bf16
     * @param device each device of a group
     * @param weightFormat of the frozen matrices
     * @param activationPolicy what is computed again
     */
    public RooflineTime(
            ModelConfig model, DeviceSpec device, WeightFormat weightFormat, ActivationPolicy activationPolicy) {
        this.model = model;
        this.device = device;
        this.weightFormat = weightFormat;
        this.activationPolicy = activationPolicy;
        training = prepare(this::training);
        evaluation = prepare(this::evaluation);
        replays = false;
    }

    /** The same where all passes come again. */
    private RooflineTime(RooflineTime other) {
        model = other.model;
        device = other.device;
        weightFormat = other.weightFormat;
        activationPolicy = other.activationPolicy;
        training = other.training;
        evaluation = other.evaluation;
        replays = true;
    }

    /** Plain weights, everything kept. */
    public RooflineTime(ModelConfig model, DeviceSpec device) {
        this(model, device, WeightFormat.PLAIN, ActivationPolicy.KEEP_ALL);
    }

    private static PassRates[] prepare(IntFunction<PassRates> rates) {
        return IntStream.rangeClosed(1, PREPARED_DEGREES).mapToObj(rates).toArray(PassRates[]::new);
    }

    private PassRates training(int degree) {
        ModelShard shard = new ModelShard(model, degree);
        PassCosts costs = PassCosts.forward(shard, weightFormat)
                .plus(PassCosts.recomputation(shard, weightFormat, activationPolicy))
                .plus(PassCosts.backward(shard, weightFormat));
        return new PassRates(shard, device, costs, 2);
    }

    private PassRates evaluation(int degree) {
        ModelShard shard = new ModelShard(model, degree);
        return new PassRates(shard, device, PassCosts.forward(shard, weightFormat), 1);
    }

    public ModelConfig model() {
        return model;
    }

    public DeviceSpec device() {
        return device;
    }

    @Override
    public IterationParts parts(GroupWork work, int degree) {
        return (isPrepared(degree) ? training[degree - 1] : training(degree)).parts(work, replays);
    }

    @Override
    public IterationParts evaluationParts(GroupWork work, int degree) {
        return (isPrepared(degree) ? evaluation[degree - 1] : evaluation(degree)).parts(work, replays);
    }

    /** As on an H100, where parts were measured one by one. */
    @Override
    public double uncertainty() {
        return 0.07;
    }

    /** Only an H100 was measured. */
    @Override
    public double machineUncertainty() {
        return device.equals(DeviceSpec.H100_80GB) ? 0.1 : PartedTime.super.machineUncertainty();
    }

    /** The time if all iterations were replayed. */
    @Override
    public RooflineTime bound() {
        return replays ? this : new RooflineTime(this);
    }

    private static boolean isPrepared(int degree) {
        return degree >= 1 && degree <= PREPARED_DEGREES;
    }
}
