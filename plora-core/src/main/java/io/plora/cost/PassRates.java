package io.plora.cost;

import io.plora.kernels.DType;
import io.plora.model.ModelConfig;
import io.plora.space.TargetModule;

/**
 * Seconds of a pass, or of several, on a model, a device and a parallel degree: {@link PassCosts} of all layers and
 * the output layer over the device's rates, so that an iteration takes a few multiplications.
 *
 * <p>Attention, whole tiles and what the host takes are fitted to iterations of random groups of Qwen2.5-0.5B, 3B and 7B on one
 * H100 and its host; which passes come again follows from how the trainer rounds lengths.
 */
final class PassRates {
    /** Share of the products' rate that attention reaches: short sequences fill tiles badly, the longest is waited for. */
    private static final double ATTENTION_EFFICIENCY = 0.1;
    /**
     * Of a token in each of attention's seven products of a layer: its tiles and those of low-rank terms are whole, whatever the
     * width of the model.
     */
    private static final double TILE_SECONDS = 10e-9;
    /** Share of the products' rate that low-rank terms reach: a side of every product is the rank. */
    private static final double LOW_RANK_EFFICIENCY = 0.5;
    /** Embedding, final norm, loss. */
    private static final int KERNELS_OUTSIDE_LAYERS = 8;
    /** Passes that are kept as graphs. */
    private static final double KEPT_PASSES = 64;
    /** What the host takes of a replayed iteration while the device waits: packing rows, reading results. */
    private static final double REPLAYED_SECONDS = 0.5e-3;
    /** Likewise of another, whose launches have to be planned. */
    private static final double PLANNED_SECONDS = 1.5e-3;
    /** What the host takes to launch a kernel of an iteration that is not replayed, beside the device's work. */
    private static final double HOST_SECONDS_OF_A_KERNEL = 6.5e-6;
    /**
     * Bytes of AdamW for a parameter: gradient read for the norm, read and cleared, value and two moments read and
     * written in float32, copy in bf16.
     */
    private static final double OPTIMIZER_BYTES = 3 * 4 + 3 * 8 + 2;
    /** What reads and writes one after the other, and nothing else, reaches more of the bandwidth than products do. */
    private static final double OPTIMIZER_BANDWIDTH = 1.1;

    private final double productToken;
    private final double productTokenTraffic;
    private final double weights;
    private final double attentionPair;
    private final double attentionToken;
    private final double pointwiseToken;
    private final double lowRankOperation;
    private final double lowRankTokenTraffic;
    private final double lowRankParameter;
    private final double headToken;
    private final double head;
    private final double logitsToken;
    private final double optimizerParameter;
    private final double communicationToken;
    private final double communicationOperation;
    private final double communication;
    private final double replayedLaunches;
    private final double plannedLaunches;
    private final double host;
    private final PassRounding rounding;

    /**
     * @param costs of one layer, of all passes together
     * @param passes 1 for forward, 2 for forward and backward
     */
    PassRates(ModelShard shard, DeviceSpec device, PassCosts costs, int passes) {
        ModelConfig model = shard.model();
        int layers = model.layers();
        int degree = shard.degree();
        double operation = 1 / device.operationsPerSecond();
        double traffic = 1 / device.bytesPerSecond();
        productToken = costs.productOperations() * layers * operation;
        productTokenTraffic = costs.productBytes() * layers * traffic;
        weights = costs.weightBytes() * layers * traffic;
        attentionPair = costs.attentionOperations() * layers * operation / ATTENTION_EFFICIENCY;
        attentionToken = costs.attentionOperations() / (2.0 * shard.query()) * layers * TILE_SECONDS;
        pointwiseToken = costs.pointwiseBytes() * layers * traffic;
        lowRankOperation = costs.lowRankPasses() / degree * operation / LOW_RANK_EFFICIENCY;
        lowRankTokenTraffic = costs.lowRankTokenBytes() * layers * traffic;
        lowRankParameter = costs.lowRankParameterBytes() * traffic;
        headToken = passes * 2.0 * shard.table() * operation;
        head = passes * (double) DType.BF16.bytes() * shard.table() * traffic;
        // a pass writes a chunk of logits or of their gradients and reads it
        logitsToken = passes * 2.0 * DType.F32.bytes() * shard.vocabulary() * traffic;
        optimizerParameter = OPTIMIZER_BYTES / degree * traffic / OPTIMIZER_BANDWIDTH;
        double kernels = costs.kernels() * layers + KERNELS_OUTSIDE_LAYERS;
        replayedLaunches = REPLAYED_SECONDS + kernels * device.kernelSeconds();
        plannedLaunches = PLANNED_SECONDS + kernels * device.kernelSeconds();
        host = PLANNED_SECONDS + kernels * HOST_SECONDS_OF_A_KERNEL;

        rounding = PassRounding.of(model);

        // ring all-reduce: 2 (d - 1) hops of a d-th each; ring all-gather: half of it
        double hops = degree - 1;
        double byteOfReduction = 2 * hops / degree / device.linkBytesPerSecond();
        double reductions = costs.reductions() * layers + passes; // embedding and output layer
        communicationToken = reductions * shard.hidden() * DType.BF16.bytes() * byteOfReduction;
        communicationOperation = costs.gathers() * lowRankBytesOfAnOperation(model) * byteOfReduction / 2;
        communication = (2 * reductions + costs.gathers() * layers) * hops * device.linkSeconds();
    }

    /**
     * Bytes of low-rank activations gathered in a projection of all layers, for one of the pass's low-rank operations.
     */
    private static double lowRankBytesOfAnOperation(ModelConfig model) {
        double valuesPerRank = 0;
        for (TargetModule module : TargetModule.values()) {
            valuesPerRank += model.inputs(module) + model.outputs(module);
        }
        // operations of a token and rank in a layer: 2 x valuesPerRank; activations of it: one for each module
        double activations = (double) TargetModule.values().length / PassCosts.PROJECTIONS;
        return activations * DType.BF16.bytes() / (2 * valuesPerRank);
    }

    /** @param replays whether all iterations are taken to be replayed, not only those that come again */
    IterationParts parts(GroupWork work, boolean replays) {
        boolean replayed = replays || comesAgain(work);
        double tokens = work.tokens();
        double lowRankTraffic = work.lowRankParameters() > 0
                ? lowRankTokenTraffic * tokens + lowRankParameter * work.lowRankParameters()
                : 0;
        return new IterationParts(
                either(productToken * tokens, weights + productTokenTraffic * tokens),
                attentionPair * work.attentionPairs() + attentionToken * tokens,
                pointwiseToken * tokens,
                either(lowRankOperation * work.lowRankOperations(), lowRankTraffic),
                either(headToken * tokens, head) + logitsToken * tokens,
                optimizerParameter * work.steppedParameters(),
                communicationToken * tokens + communicationOperation * work.lowRankOperations() + communication,
                replayed ? replayedLaunches : plannedLaunches,
                replayed ? 0 : host);
    }

    /** Whether there are few enough shapes of batches like this one, if lengths spread by as much as their mean. */
    private boolean comesAgain(GroupWork work) {
        double lengths = work.tokens() / (rounding.multiple() * work.sequences());
        return work.sequences() <= rounding.samples() && !(Math.pow(lengths, work.sequences()) > KEPT_PASSES);
    }

    /**
     * Time of a kernel that is bound by either of two resources: the larger of both where they differ much; where both
     * are busy, neither is used fully, and measured products follow the square root of the sum of squares (7B shapes
     * on an H100 from 256 to 8192 tokens: within 9%, while the larger alone is a quarter too fast at the ridge).
     */
    private static double either(double operations, double traffic) {
        return Math.sqrt(operations * operations + traffic * traffic);
    }
}
