package io.plora.kernels.cpu;

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
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Float32 on the CPU: products through the OpenBLAS that nd4j-native brings, everything else in Java, over several threads.
 *
 * <p>While an instance is open OpenBLAS is set to one thread, also for others who use it in this process. With the same
 * number of threads the same calls give the same bits.
 */
public final class CpuKernels implements Kernels {
    private final OperandCheck check = new OperandCheck(DType.F32, DType.F32);
    private final Workers workers;
    private final CpuPointwise pointwise;
    private final CpuProjection projections;
    private final CpuAttention attention;
    private final CpuLoss loss;
    private final CpuOptimizer optimizer;
    private boolean closed;

    /**
     * One thread for each processor.
     *
     * @throws IllegalStateException if OpenBLAS cannot be loaded, see {@link #unavailableReason}
     */
    public CpuKernels() {
        this(Runtime.getRuntime().availableProcessors());
    }

    /**
     * @param threads threads that compute, the caller's included
     * @throws IllegalStateException if OpenBLAS cannot be loaded, see {@link #unavailableReason}
     */
    public CpuKernels(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("threads (%d) must be at least 1.".formatted(threads));
        }
        OpenBlas.acquire();
        workers = new Workers(threads);
        pointwise = new CpuPointwise(workers);
        projections = new CpuProjection(workers);
        attention = new CpuAttention(workers);
        loss = new CpuLoss(workers);
        optimizer = new CpuOptimizer(workers);
    }

    /** Why these kernels cannot run here and what to do, or empty where they can. */
    public static Optional<String> unavailableReason() {
        return OpenBlas.unavailableReason();
    }

    /** Rows of logits that {@link #crossEntropy} holds at a time, for a vocabulary of some size. */
    public static int lossChunkRows(int vocabulary) {
        return CpuLoss.chunkRows(vocabulary);
    }

    @Override
    public String description() {
        return "CPU (float32, OpenBLAS, %d threads)".formatted(workers.threads());
    }

    @Override
    public DType activationType() {
        return DType.F32;
    }

    @Override
    public DType parameterType() {
        return DType.F32;
    }

    @Override
    public Tensor allocate(DType type, long... shape) {
        check.allocate(type);
        return Tensor.onHost(type, shape);
    }

    @Override
    public void write(Tensor to, ByteBuffer from, DType fromType) {
        Values.decode(from, fromType, to.floats());
    }

    @Override
    public void read(Tensor from, ByteBuffer to) {
        FloatBuffer values = from.floats();
        ByteBuffer target = to.slice().order(ByteOrder.LITTLE_ENDIAN);
        target.asFloatBuffer().put(0, values, 0, values.capacity());
        to.position(to.position() + 4 * values.capacity());
    }

    @Override
    public void zero(Tensor tensor) {
        FloatBuffer values = tensor.floats();
        float[] zeros = new float[Math.min(4096, values.capacity())];
        for (int from = 0; from < values.capacity(); from += zeros.length) {
            values.put(from, zeros, 0, Math.min(zeros.length, values.capacity() - from));
        }
    }

    @Override
    public void copy(Tensor from, Tensor to) {
        check.copy(from, to);
        to.floats().put(0, from.floats(), 0, to.floats().capacity());
    }

    @Override
    public void embed(Tensor table, PackedBatch batch, Tensor y) {
        check.embed(table, batch, y);
        pointwise.embed(table, batch, y);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, double epsilon, PackedBatch batch, Tensor y, Tensor inverseRms) {
        check.rmsNorm(x, weight, batch, y, inverseRms);
        pointwise.rmsNorm(x, weight, epsilon, batch, y, inverseRms);
    }

    @Override
    public void rmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dY, PackedBatch batch, Tensor dX) {
        check.rmsNormBackward(x, weight, inverseRms, dY, batch, dX);
        pointwise.rmsNormBackward(x, weight, inverseRms, dY, batch, dX);
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
        OpenBlas.useOneThread();
        projections.project(projection, adapters, batch, x, lowRank, y, residual != null);
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
        OpenBlas.useOneThread();
        projections.backward(projection, adapters, batch, x, lowRank, dY, dX);
    }

    @Override
    public void rotary(AttentionShape shape, Tensor table, PackedBatch batch, Tensor qkv, boolean inverse) {
        check.rotary(shape, table, batch, qkv);
        pointwise.rotary(shape, table, batch, qkv, inverse);
    }

    @Override
    public void attention(AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp) {
        check.attention(shape, batch, qkv, y, logSumExp);
        OpenBlas.useOneThread();
        attention.attention(shape, batch, qkv, y, logSumExp);
    }

    @Override
    public void attentionBackward(
            AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp, Tensor dY, Tensor dQkv) {
        check.attentionBackward(shape, batch, qkv, y, logSumExp, dY, dQkv);
        OpenBlas.useOneThread();
        attention.backward(shape, batch, qkv, y, logSumExp, dY, dQkv);
    }

    @Override
    public void swiGlu(Tensor gateUp, PackedBatch batch, Tensor y) {
        check.swiGlu(gateUp, batch, y);
        pointwise.swiGlu(gateUp, batch, y);
    }

    @Override
    public void swiGluBackward(Tensor gateUp, Tensor dY, PackedBatch batch, Tensor dGateUp) {
        check.swiGluBackward(gateUp, dY, batch, dGateUp);
        pointwise.swiGluBackward(gateUp, dY, batch, dGateUp);
    }

    @Override
    public void crossEntropy(Tensor x, Tensor weight, PackedBatch batch, Tensor losses, @Nullable Tensor dX) {
        check.crossEntropy(x, weight, batch, losses, dX);
        OpenBlas.useOneThread();
        loss.crossEntropy(x, weight, batch, losses, dX);
    }

    @Override
    public void logits(Tensor x, Tensor weight, PackedBatch batch, Tensor y) {
        check.logits(x, weight, batch, y);
        OpenBlas.useOneThread();
        loss.logits(x, weight, batch, y);
    }

    @Override
    public double[] optimize(List<OptimizerStep> steps) {
        check.optimize(steps);
        return optimizer.optimize(steps);
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            workers.close();
            OpenBlas.release();
        }
    }
}
