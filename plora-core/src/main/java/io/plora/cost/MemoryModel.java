package io.plora.cost;

import io.plora.kernels.DType;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;

/**
 * Memory of a packed group on this engine, after PLoRA's appendix B (Yan et al. 2025, arXiv 2508.02932): base weights and
 * activations, and for each adapter its parameters, gradients, optimizer state and activations.
 *
 * <p>With H hidden size, F intermediate size, L layers, V vocabulary, Q = heads x head size, K = kv heads x head size, r the
 * rank, a and p the bytes of an activation and of a parameter:
 *
 * <ul>
 *   <li>base: {@code a (V H [twice if untied] + L (2 H Q + 2 H K + 3 H F + 2 H [+ Q + 2 K biases]) + H)}, and the chunk of
 *       logits in the loss, {@code p V rows}
 *   <li>adapter: {@code L sum over its modules of r (in + out)} parameters, each with value, gradient and AdamW's two moments
 *       (the paper's c_grad = 3), {@code 4 p}, and a copy for the products where a differs from p: 16 bytes a parameter in
 *       float32, 18 in bf16 with float32 masters
 *   <li>token: what the backward pass needs, {@code L (a (4 H + (Q + 2 K) + Q + 3 F) + p (2 + heads))}: input of the layer,
 *       first norm, q/k/v, attention, its residual, second norm, gate and up, their product, the norms' inverse RMS and the
 *       attention's log-sum-exp; outside the layers {@code a 4 H + 2 p} (last residual, final norm and their gradients; inverse
 *       RMS and loss) and the backward pass's scratch {@code a max(3 F, 2 Q + 2 K)}; and the low-rank activations
 *       {@code a L sum over modules of r}
 * </ul>
 *
 * @param model shape of the base model
 * @param activationType of frozen weights and activations
 * @param parameterType of adapters, gradients, optimizer state and losses
 * @param lossChunkRows rows of logits held at once
 */
public record MemoryModel(ModelConfig model, DType activationType, DType parameterType, int lossChunkRows)
        implements GroupMemory {

    /** Value, gradient, first and second moment. */
    private static final int COPIES_OF_A_PARAMETER = 4;

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
        long layer = 2L * model.hiddenSize(); // norms
        for (TargetModule module : TargetModule.values()) {
            layer += (long) model.inputs(module) * model.outputs(module);
        }
        if (model.qkvBias()) {
            layer += model.attentionShape().qkvSize();
        }
        long table = (long) model.vocabularySize() * model.hiddenSize();
        return table * (model.tiedEmbeddings() ? 1 : 2) + layer * model.layers() + model.hiddenSize();
    }

    @Override
    public long baseBytes(int degree) {
        return share(
                baseParameters(model) * activationType.bytes()
                        + (long) lossChunkRows * model.vocabularySize() * parameterType.bytes(),
                degree);
    }

    @Override
    public long adapterBytes(LoraConfig config, int degree) {
        int bytes = COPIES_OF_A_PARAMETER * parameterType.bytes()
                + (activationType == parameterType ? 0 : activationType.bytes());
        return share(adapterParameters(model, config) * bytes, degree);
    }

    @Override
    public long tokenBytes(LoraConfig config, int degree) {
        long lowRank = (long) config.rank() * config.targetModules().size();
        return share(
                layerTokenBytes() * model.layers()
                        + outerTokenBytes()
                        + lowRank * model.layers() * activationType.bytes(),
                degree);
    }

    /** Kept of a token in each layer, without low-rank terms. */
    private long layerTokenBytes() {
        int attention = model.attentionShape().outputSize();
        int qkv = model.attentionShape().qkvSize();
        long activations = 4L * model.hiddenSize() + qkv + attention + 3L * model.intermediateSize();
        return activations * activationType.bytes() + (2L + model.heads()) * parameterType.bytes();
    }

    /** Kept of a token once. */
    private long outerTokenBytes() {
        int attention = model.attentionShape().outputSize();
        int qkv = model.attentionShape().qkvSize();
        long scratch = Math.max(3L * model.intermediateSize(), qkv + attention);
        return (4L * model.hiddenSize() + scratch) * activationType.bytes() + 2L * parameterType.bytes();
    }

    private static long share(long bytes, int degree) {
        return (bytes + degree - 1) / degree;
    }
}
