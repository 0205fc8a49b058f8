package io.plora.kernels.reference;

import io.plora.kernels.AttentionShape;
import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.LoraTable;
import io.plora.kernels.OperandCheck;
import io.plora.kernels.OptimizerStep;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import io.plora.kernels.Values;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Double precision on the host for everything, one obvious loop an operation, one thread: slow and right.
 *
 * <p>{@link Tensor#doubles} gives exact access to every tensor.
 */
public final class ReferenceKernels implements Kernels {
    private final OperandCheck check = new OperandCheck(DType.F64, DType.F64);

    @Override
    public String description() {
        return "reference (double precision, plain Java)";
    }

    @Override
    public DType activationType() {
        return DType.F64;
    }

    @Override
    public DType parameterType() {
        return DType.F64;
    }

    @Override
    public Tensor allocate(DType type, long... shape) {
        check.allocate(type);
        return Tensor.onHost(type, shape);
    }

    @Override
    public void write(Tensor to, ByteBuffer from, DType fromType) {
        Values.decode(from, fromType, to.doubles());
    }

    @Override
    public void read(Tensor from, ByteBuffer to) {
        ByteOrder order = to.order();
        to.order(ByteOrder.LITTLE_ENDIAN);
        DoubleBuffer values = from.doubles();
        for (int i = 0; i < values.capacity(); i++) {
            to.putFloat((float) values.get(i));
        }
        to.order(order);
    }

    @Override
    public void zero(Tensor tensor) {
        DoubleBuffer values = tensor.doubles();
        for (int i = 0; i < values.capacity(); i++) {
            values.put(i, 0);
        }
    }

    @Override
    public void copy(Tensor from, Tensor to) {
        check.copy(from, to);
        to.doubles().put(0, from.doubles(), 0, to.doubles().capacity());
    }

    @Override
    public void embed(Tensor table, PackedBatch batch, Tensor y) {
        check.embed(table, batch, y);
        ReferencePointwise.embed(table, batch, y);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, double epsilon, PackedBatch batch, Tensor y, Tensor inverseRms) {
        check.rmsNorm(x, weight, batch, y, inverseRms);
        ReferencePointwise.rmsNorm(x, weight, epsilon, batch, y, inverseRms);
    }

    @Override
    public void rmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dY, PackedBatch batch, Tensor dX) {
        check.rmsNormBackward(x, weight, inverseRms, dY, batch, dX);
        ReferencePointwise.rmsNormBackward(x, weight, inverseRms, dY, batch, dX);
    }

    @Override
    public void project(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            @Nullable Tensor residual,
            Tensor y) {
        check.project(projection, adapters, batch, x, lowRank, residual, y);
        if (residual != null && residual != y) {
            copy(residual.rows(0, batch.rows()), y.rows(0, batch.rows()));
        }
        ReferenceProjection.project(projection, adapters, batch, x, lowRank, y, residual != null);
    }

    @Override
    public void projectBackward(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            Tensor dY,
            @Nullable Tensor dX) {
        check.projectBackward(projection, adapters, batch, x, lowRank, dY, dX);
        ReferenceProjection.backward(projection, adapters, batch, x, lowRank, dY, dX);
    }

    @Override
    public void rotary(AttentionShape shape, Tensor table, PackedBatch batch, Tensor qkv, boolean inverse) {
        check.rotary(shape, table, batch, qkv);
        ReferenceAttention.rotary(shape, table, batch, qkv, inverse);
    }

    @Override
    public void attention(AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp) {
        check.attention(shape, batch, qkv, y, logSumExp);
        ReferenceAttention.attention(shape, batch, qkv, y, logSumExp);
    }

    @Override
    public void attentionBackward(
            AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp, Tensor dY, Tensor dQkv) {
        check.attentionBackward(shape, batch, qkv, y, logSumExp, dY, dQkv);
        ReferenceAttention.backward(shape, batch, qkv, y, logSumExp, dY, dQkv);
    }

    @Override
    public void swiGlu(Tensor gateUp, PackedBatch batch, Tensor y) {
        check.swiGlu(gateUp, batch, y);
        ReferencePointwise.swiGlu(gateUp, batch, y);
    }

    @Override
    public void swiGluBackward(Tensor gateUp, Tensor dY, PackedBatch batch, Tensor dGateUp) {
        check.swiGluBackward(gateUp, dY, batch, dGateUp);
        ReferencePointwise.swiGluBackward(gateUp, dY, batch, dGateUp);
    }

    @Override
    public void crossEntropy(Tensor x, Tensor weight, PackedBatch batch, Tensor losses, @Nullable Tensor dX) {
        check.crossEntropy(x, weight, batch, losses, dX);
        ReferenceLoss.crossEntropy(x, weight, batch, losses, dX);
    }

    @Override
    public void logits(Tensor x, Tensor weight, PackedBatch batch, Tensor y) {
        check.logits(x, weight, batch, y);
        ReferenceLoss.logits(x, weight, batch, y);
    }

    @Override
    public double[] optimize(List<OptimizerStep> steps) {
        check.optimize(steps);
        return steps.stream().mapToDouble(ReferenceOptimizer::step).toArray();
    }

    @Override
    public void close() {
        // Tensors are released by the garbage collector.
    }
}
