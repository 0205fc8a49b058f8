package io.plora.kernels;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The operations of a packed training step over prepared tensors. T is the number of rows of the batch, H the hidden size.
 *
 * <p>Activation tensors may have more rows than the batch; the first T count, and what an operation leaves in the others of its
 * outputs is undefined. Outputs are overwritten unless stated. The same calls on the same hardware give the same bits. Not
 * thread-safe: one instance belongs to one group.
 *
 * <p>Three implementations: double precision in plain Java (the reference), float32 on the CPU, bf16 on CUDA.
 */
public interface Kernels extends AutoCloseable {

    /** What computes here, in a few words for a person. */
    String description();

    /** Type of frozen weights and activations. */
    DType activationType();

    /** Type of adapters, gradients, optimizer state and losses. */
    DType parameterType();

    /** Allocates zeroed memory where this implementation computes. */
    Tensor allocate(DType type, long... shape);

    /**
     * Gives back what {@link #allocate} returned; nothing may use it or a view of it afterwards. On the host memory goes when
     * nothing refers to it.
     */
    default void release(Tensor tensor) {}

    /** Converts all remaining little-endian values of {@code from} into {@code to}. */
    void write(Tensor to, ByteBuffer from, DType fromType);

    /** Converts all of {@code from} to little-endian float32 values from the position of {@code to} on. */
    void read(Tensor from, ByteBuffer to);

    /** All of a tensor as float32 values, in the order of their memory. */
    default float[] floats(Tensor tensor) {
        float[] values = new float[Math.toIntExact(tensor.size())];
        HostTransfer.read(this, tensor, values);
        return values;
    }

    /**
     * Converts values, as many as the tensor has.
     *
     * @throws IllegalArgumentException if the numbers of values differ
     */
    default void write(Tensor to, float[] values) {
        HostTransfer.write(this, to, values);
    }

    /**
     * All of a tensor as {@link #floats} gives it now. Who wants the values, on any thread, may have to wait, but not for operations
     * that are asked for meanwhile.
     */
    default Supplier<float[]> floatsLater(Tensor tensor) {
        float[] values = floats(tensor);
        return () -> values;
    }

    void zero(Tensor tensor);

    /**
     * Fills a tensor of {@link #parameterType()} with values of uniform distribution: element i is (2 u - 1) bound, where u is
     * double i of {@link SplittableRandom}, the same bits everywhere.
     */
    default void uniform(Tensor to, long seed, double bound) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[Math.toIntExact(to.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) ((2 * random.nextDouble() - 1) * bound);
        }
        write(to, values);
    }

    void copy(Tensor from, Tensor to);

    /**
     * Runs operations on a batch that are likely to come again on other batches of the same shape. Implementations may record them,
     * and do the same again without running {@code operations}: those must be operations of these kernels that depend on nothing but
     * the operands and the batch, and neither read values nor wait.
     *
     * @param operands equal to those of an earlier call where the operations are the same and take the same tensors and tables
     * @param batch what the operations take
     */
    default void repeatable(Object operands, PackedBatch batch, Runnable operations) {
        operations.run();
    }

    /** Whether {@link #repeatable} makes a pass much cheaper where one of the same shape came before. */
    default boolean replays() {
        return false;
    }

    /** {@code y[t] = table[token(t)]}. Table (V, H), y (T, H). */
    void embed(Tensor table, PackedBatch batch, Tensor y);

    /**
     * Root mean square norm (Zhang and Sennrich 2019): {@code y = weight * x / sqrt(mean(x^2) + epsilon)}.
     *
     * @param x (T, H)
     * @param weight (H)
     * @param inverseRms (T), of {@link #parameterType()}: 1 / rms, kept for the backward pass
     */
    void rmsNorm(Tensor x, Tensor weight, double epsilon, PackedBatch batch, Tensor y, Tensor inverseRms);

    /** Adds the norm's input gradient to {@code dX}. */
    void rmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dY, PackedBatch batch, Tensor dX);

    /**
     * All projections that share an input, with the adapters' low-rank terms:
     * {@code y = residual + x W^T + bias + scale_i (drop(x) A_i^T) B_i^T}, on each part for rows of adapter i.
     *
     * @param x (T, in)
     * @param lowRank at least {@link LoraTable#lowRankSize} elements of {@link #activationType()}: {@code drop(x) A^T}, scaled or
     *     not, kept for the backward pass
     * @param residual (T, out), added to the result; y itself too, or null for none
     * @param y (T, out)
     */
    void project(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            @Nullable Tensor residual,
            Tensor y);

    /**
     * Backward of {@link #project}: adds to the gradients of A and B, or overwrites them where the batch
     * {@linkplain PackedBatch#startsGradients starts} them (PLoRA, appendix C, cases 1 to 4).
     *
     * @param dX (T, in), overwritten; null where no gradient is needed further down
     */
    void projectBackward(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            Tensor dY,
            @Nullable Tensor dX);

    /**
     * Rotates queries and keys in place (Su et al. 2021), pairs (i, i + headSize / 2).
     *
     * @param table (positions, headSize), of {@link #parameterType()}: cosines of the headSize / 2 angles, then sines
     * @param qkv (T, {@link AttentionShape#qkvSize})
     * @param inverse rotates back, which is the backward pass
     */
    void rotary(AttentionShape shape, Tensor table, PackedBatch batch, Tensor qkv, boolean inverse);

    /**
     * Causal softmax attention within each sequence, scaled by 1 / sqrt(headSize).
     *
     * @param y (T, {@link AttentionShape#outputSize})
     * @param logSumExp (T, heads), of {@link #parameterType()}, kept for the backward pass
     */
    void attention(AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp);

    void attentionBackward(
            AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp, Tensor dY, Tensor dQkv);

    /** {@code y = silu(gate) * up} (Shazeer 2020). GateUp (T, 2F): gate, then up; y (T, F). */
    void swiGlu(Tensor gateUp, PackedBatch batch, Tensor y);

    void swiGluBackward(Tensor gateUp, Tensor dY, PackedBatch batch, Tensor dGateUp);

    /**
     * Output layer and cross-entropy over chunks of rows: all logits are never held at once. Rows without a target have
     * loss 0 and gradient 0.
     *
     * @param x (T, H)
     * @param weight (V, H)
     * @param losses (T), of {@link #parameterType()}: -log p(target), not weighted
     * @param dX (T, H): gradient of the weighted sum of losses; null in evaluation
     */
    void crossEntropy(Tensor x, Tensor weight, PackedBatch batch, Tensor losses, @Nullable Tensor dX);

    /**
     * {@code y = x W^T}: logits for a caller who wants to see them.
     *
     * @param x (T, H)
     * @param weight (V, H)
     * @param y (T, V), of {@link #parameterType()}
     */
    void logits(Tensor x, Tensor weight, PackedBatch batch, Tensor y);

    /**
     * One optimizer step for each adapter named, with clipping by its own gradient norm. An adapter whose norm is not
     * finite is left as it was. Gradients may be read afterwards; the next batch starts them anew.
     *
     * @return each adapter's gradient norm before clipping
     */
    double[] optimize(List<OptimizerStep> steps);

    /** Makes products see parameters that were written otherwise than by {@link #optimize}. */
    default void refresh(AdapterState adapter) {}

    @Override
    void close();
}
