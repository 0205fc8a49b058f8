package io.plora.cost;

import io.plora.kernels.AdapterState;
import io.plora.kernels.DType;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;

/**
 * Memory of a packed group on this engine, after PLoRA's appendix B (Yan et al. 2025, arXiv 2508.02932): base weights
 * and activations, and for each adapter its parameters, gradients, optimizer state and activations.
 *
 * <p>With H hidden size, F intermediate size, L layers, V vocabulary, Q = heads x head size, K = kv heads x head size,
 * r the rank, a and p the bytes of an activation and of a parameter, on each of d devices:
 *
 * <ul>
 *   <li>base: {@code a (V H [twice if untied] + L (2 H Q + 2 H K + 3 H F + 2 H [+ Q + 2 K biases, Llama's + H]) + H)},
 *       matrices and tables divided by d; NF4 takes 4.127 bits a value of the layers' matrices and room for the
 *       largest product's weights in the activations' type; the chunk of logits in the loss, {@code p V rows / d}; the
 *       workspace; free slots
 *   <li>adapter: {@code L sum over its modules of r (in + out) / d} parameters, each with value, gradient and AdamW's
 *       two moments (the paper's c_grad = 3), {@code 4 p}, and a copy for the products where a differs from p: 16
 *       bytes a parameter in float32, 18 in bf16 with float32 masters (rows of the copy are padded, as is r below, to
 *       {@link AdapterState#stride}); rounded up to its slot. Both matrices are split
 *       over the devices, as in S-LoRA (Sheng et al. 2024)
 *   <li>token, in each layer: {@code a (4 H + (Q + 2 K) + Q + 3 F) + p (2 + heads)}: input, first norm, q/k/v,
 *       attention, its residual, second norm, gate and up, their product; the norms' inverse RMS and the attention's
 *       log-sum-exp; and {@code a r} for each module. Under {@link ActivationPolicy#RECOMPUTE_POINTWISE} without
 *       {@code a (2 H + F)}, norms and product; under {@link ActivationPolicy#KEEP_LAYER_INPUTS} only {@code a H}
 *       and the down projection's {@code a r}
 *   <li>token, once: {@code a (4 H + max(3 F, (Q + 2 K) + Q)) + 2 p}: last residual, final norm, gradients of both,
 *       gradients of gate and up and their product or, in the same memory, of q/k/v and attention, inverse RMS and
 *       loss; and what is computed again, one norm and product or one layer. Devices split Q, K, F and heads; the residual stream, norms and low-rank
 *       activations are whole on each
 * </ul>
 *
 * @param model shape of the base model
 * @param activationType of frozen weights and activations
 * @param parameterType of adapters, gradients, optimizer state and losses
 * @param lossChunkRows rows of logits held at once
 * @param weightFormat of the frozen matrices
 * @param activationPolicy what is kept for the backward pass
 * @param slots how adapters lie in memory
 * @param workspaceBytes everything else on each device: the driver's context, workspaces of libraries
 */
public record MemoryModel(
        ModelConfig model,
        DType activationType,
        DType parameterType,
        int lossChunkRows,
        WeightFormat weightFormat,
        ActivationPolicy activationPolicy,
        AdapterSlots slots,
        long workspaceBytes)
        implements GroupMemory {

    /** Value, gradient, first and second moment. */
    private static final int COPIES_OF_A_PARAMETER = 4;

    private static final int GPU_LOSS_CHUNK_ROWS = 1024;
    /** A CUDA context with its modules takes about 500 MiB, cuBLAS 32 MiB on Hopper, less before. */
    private static final long GPU_WORKSPACE_BYTES = 640L << 20;

    /** Plain weights, everything kept, exact slots, no workspace. */
    public MemoryModel(ModelConfig model, DType activationType, DType parameterType, int lossChunkRows) {
        this(
                model,
                activationType,
                parameterType,
                lossChunkRows,
                WeightFormat.PLAIN,
                ActivationPolicy.KEEP_ALL,
                AdapterSlots.EXACT,
                0);
    }

    /** A group on a GPU: bf16 with float32 masters of the adapters. */
    public static MemoryModel onGpu(ModelConfig model) {
        return new MemoryModel(model, DType.BF16, DType.F32, GPU_LOSS_CHUNK_ROWS)
                .withWorkspaceBytes(GPU_WORKSPACE_BYTES);
    }

    public MemoryModel withWeightFormat(WeightFormat weightFormat) {
        return new MemoryModel(
                model,
                activationType,
                parameterType,
                lossChunkRows,
                weightFormat,
                activationPolicy,
                slots,
                workspaceBytes);
    }

    public MemoryModel withActivationPolicy(ActivationPolicy activationPolicy) {
        return new MemoryModel(
                model,
                activationType,
                parameterType,
                lossChunkRows,
                weightFormat,
                activationPolicy,
                slots,
                workspaceBytes);
    }

    public MemoryModel withSlots(AdapterSlots slots) {
        return new MemoryModel(
                model,
                activationType,
                parameterType,
                lossChunkRows,
                weightFormat,
                activationPolicy,
                slots,
                workspaceBytes);
    }

    public MemoryModel withWorkspaceBytes(long workspaceBytes) {
        return new MemoryModel(
                model,
                activationType,
                parameterType,
                lossChunkRows,
                weightFormat,
                activationPolicy,
                slots,
                workspaceBytes);
    }

    /** Of passes that have at most so many tokens: the loss never holds more rows of logits. */
    public MemoryModel forPassesOf(int tokens) {
        return new MemoryModel(
                model,
                activationType,
                parameterType,
                Math.min(lossChunkRows, tokens),
                weightFormat,
                activationPolicy,
                slots,
                workspaceBytes);
    }

    /** Parameters of an adapter: A (r, in) and B (out, r) of each target module in each layer. */
    public static long adapterParameters(ModelConfig model, LoraConfig config) {
        long perRank = 0;
        for (TargetModule module : config.targetModules()) {
            perRank += model.inputs(module) + model.outputs(module);
        }
        return perRank * config.rank() * model.layers();
    }

    /** Parameters of the base model. */
    public static long baseParameters(ModelConfig model) {
        ModelShard whole = new ModelShard(model, 1);
        return model.layers() * whole.layerMatrices() + unquantised(whole);
    }

    /** Tables, norms and biases. */
    private static long unquantised(ModelShard shard) {
        ModelConfig model = shard.model();
        long biases = (model.qkvBias() ? shard.qkv() : 0) + (model.outputBias() ? shard.hidden() : 0);
        long layer = 2L * shard.hidden() + biases;
        return shard.table() * (model.tiedEmbeddings() ? 1 : 2) + layer * model.layers() + shard.hidden();
    }

    @Override
    public long baseBytes(int degree) {
        ModelShard shard = new ModelShard(model, degree);
        long weights = unquantised(shard) * activationType.bytes();
        for (TargetModule module : TargetModule.values()) {
            weights += model.layers() * weightFormat.bytes(shard.matrix(module), activationType);
        }
        long unpacked = weightFormat == WeightFormat.PLAIN
                ? 0
                : 2 * shard.matrix(TargetModule.GATE_PROJ) * activationType.bytes();
        long logits = (long) lossChunkRows * shard.vocabulary() * parameterType.bytes();
        return weights
                + unpacked
                + logits
                + workspaceBytes
                + slots.free() * slotBytes(slots.freeSlotParameters(), slots.freeSlotParameters(), shard);
    }

    @Override
    public long adapterBytes(LoraConfig config, int degree) {
        return slotBytes(adapterParameters(model, config), copiedParameters(config), new ModelShard(model, degree));
    }

    private long slotBytes(long parameters, long copied, ModelShard shard) {
        long copy = activationType == parameterType ? 0 : shard.share(copied) * activationType.bytes();
        return slots.slotBytes(shard.share(parameters) * COPIES_OF_A_PARAMETER * parameterType.bytes() + copy);
    }

    /** Parameters of the copy that products read, whose rows are padded. */
    private long copiedParameters(LoraConfig config) {
        long values = 0;
        for (TargetModule module : config.targetModules()) {
            values += (long) config.rank() * AdapterState.stride(activationType, model.inputs(module))
                    + (long) model.outputs(module) * AdapterState.stride(activationType, config.rank());
        }
        return values * model.layers();
    }

    @Override
    public long tokenBytes(LoraConfig config, int degree) {
        TokenMemory token =
                new TokenMemory(new ModelShard(model, degree), activationType, parameterType, activationPolicy);
        long rank = AdapterState.stride(activationType, config.rank());
        long lowRank = rank * activationType.bytes() * keptLowRankTerms(config);
        return token.perLayer() * model.layers() + token.outside() + lowRank;
    }

    /** Terms whose low-rank activations are in memory, over all layers. */
    private long keptLowRankTerms(LoraConfig config) {
        long modules = config.targetModules().size();
        if (activationPolicy != ActivationPolicy.KEEP_LAYER_INPUTS) {
            return modules * model.layers();
        }
        long down = config.targetModules().contains(TargetModule.DOWN_PROJ) ? 1 : 0;
        return (modules - down) + down * model.layers();
    }
}
