package io.plora.train;

import io.plora.kernels.AdapterState;
import io.plora.kernels.Arena;
import io.plora.kernels.AttentionShape;
import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.LoraTable;
import io.plora.kernels.OptimizerStep;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Kernels that compute nothing: bf16 in an arena that exists by its addresses only, to see what the engine asks for. */
final class NoKernels implements Kernels {
    private final Arena arena;
    private long bytes; // of live tensors, without padding

    NoKernels(long arenaBytes) {
        arena = new Arena(this, 1L << 32, arenaBytes);
    }

    Arena arena() {
        return arena;
    }

    /** Bytes of tensors that are not released, without what aligns them. */
    long bytes() {
        return bytes;
    }

    @Override
    public String description() {
        return "nothing";
    }

    @Override
    public DType activationType() {
        return DType.BF16;
    }

    @Override
    public DType parameterType() {
        return DType.F32;
    }

    @Override
    public Tensor allocate(DType type, long... shape) {
        Tensor tensor = arena.allocate(type, shape);
        bytes += tensor.bytes();
        return tensor;
    }

    @Override
    public void release(Tensor tensor) {
        arena.release(tensor);
        bytes -= tensor.bytes();
    }

    @Override
    public void write(Tensor to, ByteBuffer from, DType fromType) {
        from.position(from.limit());
    }

    @Override
    public void read(Tensor from, ByteBuffer to) {
        to.position(to.position() + Math.toIntExact(Float.BYTES * from.size()));
    }

    @Override
    public double[] optimize(List<OptimizerStep> steps) {
        return new double[steps.size()];
    }

    @Override
    public void zero(Tensor tensor) {}

    @Override
    public void copy(Tensor from, Tensor to) {}

    @Override
    public void embed(Tensor table, PackedBatch batch, Tensor y) {}

    @Override
    public void rmsNorm(Tensor x, Tensor weight, double epsilon, PackedBatch batch, Tensor y, Tensor inverseRms) {}

    @Override
    public void rmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dY, PackedBatch batch, Tensor dX) {}

    @Override
    public void project(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            @Nullable Tensor residual,
            Tensor y) {}

    @Override
    public void projectBackward(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            Tensor dY,
            @Nullable Tensor dX) {}

    @Override
    public void rotary(AttentionShape shape, Tensor table, PackedBatch batch, Tensor qkv, boolean inverse) {}

    @Override
    public void attention(AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp) {}

    @Override
    public void attentionBackward(
            AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp, Tensor dY, Tensor dQkv) {}

    @Override
    public void swiGlu(Tensor gateUp, PackedBatch batch, Tensor y) {}

    @Override
    public void swiGluBackward(Tensor gateUp, Tensor dY, PackedBatch batch, Tensor dGateUp) {}

    @Override
    public void crossEntropy(Tensor x, Tensor weight, PackedBatch batch, Tensor losses, @Nullable Tensor dX) {}

    @Override
    public void logits(Tensor x, Tensor weight, PackedBatch batch, Tensor y) {}

    @Override
    public void refresh(AdapterState adapter) {}

    @Override
    public void close() {}
}
