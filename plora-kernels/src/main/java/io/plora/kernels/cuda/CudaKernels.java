package io.plora.kernels.cuda;

import io.plora.kernels.AdapterState;
import io.plora.kernels.AttentionShape;
import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.LoraTable;
import io.plora.kernels.NDArrays;
import io.plora.kernels.OperandCheck;
import io.plora.kernels.OptimizerStep;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerPointer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Bf16 with float32 accumulation on one GPU, in memory of ND4J's CUDA backend and on the stream that ND4J uses on the thread
 * that opened it; no other thread may call it, and that thread may open or ask about no other GPU meanwhile.
 *
 * <p>Operations return when their work is enqueued; reading values waits for it, and {@link #optimize} for the norms, not for the
 * update. All memory comes from one arena; the same calls give the same bits. Sizes are multiples of 8, heads have 32, 64, 96 or 128 values, ranks are at
 * most 256.
 */
public final class CudaKernels implements Kernels {
    private static final Logger LOGGER = LoggerFactory.getLogger(CudaKernels.class);

    /** What cuBLAS asks for on Hopper. */
    private static final long BLAS_WORKSPACE = 32L << 20;

    /** Logits of one chunk of the loss, in bytes of float32. */
    private static final long LOSS_CHUNK = 512L << 20;

    private final OperandCheck check = new OperandCheck(DType.BF16, DType.F32);
    private final Nd4jDevice device;
    private final DeviceMemory memory;
    private final Plora.Blas blas;
    private final RecordedPasses passes;
    private final WorkTime time;
    private final Workspace workspace;
    private final DeviceBatch rows;
    private final CudaProjection projections;
    private final CudaOptimizer optimizer;
    private final Transfers transfers;
    private final Map<AttentionShape, Plora.Heads> heads = new HashMap<>();
    private boolean closed;

    /**
     * Opens a GPU.
     *
     * @param number the GPU, counted from 0
     * @param bytes memory to take for everything that these kernels hold
     * @throws IllegalStateException if CUDA cannot be used here, see {@link #unavailableReason}
     * @throws OutOfMemoryError if the GPU has fewer bytes free
     */
    public CudaKernels(int number, long bytes) {
        requireAvailable();
        device = new Nd4jDevice(number);
        Plora.Device properties = new Plora.Device();
        CudaLibrary.check(Plora.deviceQuery(properties));
        memory = new DeviceMemory(device, bytes);
        passes = new RecordedPasses(new GraphRecorder(memory));
        time = new WorkTime(memory);
        workspace = new Workspace(memory, passes::drop);
        try {
            blas = openBlas();
        } catch (RuntimeException | Error e) {
            memory.close();
            throw e;
        }
        BatchPlans plans = new BatchPlans(memory, properties, passes::drop);
        memory.whenShort(plans::dropOthers);
        rows = new DeviceBatch(memory, plans, passes::drop);
        projections = new CudaProjection(memory, workspace, blas, rows, new DeviceTables(memory, passes::drop));
        optimizer = new CudaOptimizer(memory, workspace, time);
        transfers = new Transfers(memory);
    }

    private Plora.Blas openBlas() {
        Tensor blasWorkspace = memory.take(BLAS_WORKSPACE);
        try (PointerPointer<Plora.Blas> handle = new PointerPointer<>(1)) {
            CudaLibrary.check(Plora.createBlas(null, blasWorkspace.address(), BLAS_WORKSPACE, handle));
            return handle.get(Plora.Blas.class);
        }
    }

    /** Why these kernels cannot run here and what to do, or empty where they can. */
    public static Optional<String> unavailableReason() {
        return CudaLibrary.unavailableReason().or(NDArrays::cudaUnavailableReason);
    }

    /**
     * Bytes of a GPU that nobody has taken. The calling thread uses that GPU from then on.
     *
     * @throws IllegalStateException if CUDA cannot be used here, see {@link #unavailableReason}
     */
    public static long freeBytes(int number) {
        requireAvailable();
        return new Nd4jDevice(number).freeBytes();
    }

    /**
     * What the driver calls a GPU. The calling thread uses that GPU from then on.
     *
     * @throws IllegalStateException if CUDA cannot be used here, see {@link #unavailableReason}
     */
    public static String deviceName(int number) {
        requireAvailable();
        return new Nd4jDevice(number).name();
    }

    private static void requireAvailable() {
        CudaLibrary.require();
        unavailableReason().ifPresent(reason -> {
            throw new IllegalStateException(reason);
        });
    }

    /** Rows of logits that {@link #crossEntropy} holds at a time, for a vocabulary of some size. */
    public static int lossChunkRows(int vocabulary) {
        long chunk = LOSS_CHUNK / (Float.BYTES * (long) vocabulary);
        return (int) Math.max(64, Math.min(8192, chunk / 64 * 64));
    }

    @Override
    public String description() {
        return "CUDA (bf16, %s, cuBLAS %d)".formatted(device.name(), Plora.blasVersion(blas));
    }

    @Override
    public DType activationType() {
        return DType.BF16;
    }

    @Override
    public DType parameterType() {
        return DType.F32;
    }

    /** Most bytes that tensors and workspaces have taken at once, from the start or the last {@link #restartPeak}. */
    public long peakBytes() {
        return memory.arena().peakBytes();
    }

    public void restartPeak() {
        memory.arena().restartPeak();
    }

    @Override
    public Tensor allocate(DType type, long... shape) {
        check.allocate(type);
        memory.stream(); // only the thread of these kernels may change the arena
        Tensor tensor = memory.allocate(type, shape);
        zero(tensor);
        return tensor;
    }

    @Override
    public void release(Tensor tensor) {
        memory.stream();
        passes.drop();
        optimizer.forget(tensor);
        memory.arena().release(tensor);
    }

    @Override
    public void write(Tensor to, ByteBuffer from, DType fromType) {
        transfers.write(to, from, fromType);
    }

    @Override
    public void read(Tensor from, ByteBuffer to) {
        transfers.read(from, to);
    }

    /** What is large through a copy, for which what can be done without is let go, or at once where there is still no room. */
    @Override
    public Supplier<float[]> floatsLater(Tensor tensor) {
        if (tensor.type() == DType.F32) {
            try {
                return memory.readLater(tensor);
            } catch (OutOfMemoryError e) {
                LOGGER.debug("Values of {} are read at once. {}", tensor, e.getMessage());
            }
        }
        float[] values = floats(tensor);
        return () -> values;
    }

    @Override
    public void uniform(Tensor to, long seed, double bound) {
        check.uniform(to);
        CudaLibrary.check(Plora.uniform(to.address(), to.size(), seed, bound, memory.stream()));
    }

    @Override
    public void zero(Tensor tensor) {
        CudaLibrary.check(Plora.zero(tensor.address(), tensor.bytes(), memory.stream()));
    }

    @Override
    public void copy(Tensor from, Tensor to) {
        check.copy(from, to);
        CudaLibrary.check(Plora.copy(to.address(), from.address(), from.bytes(), memory.stream()));
    }

    @Override
    public void refresh(AdapterState adapter) {
        optimizer.refresh(adapter);
    }

    /** A CUDA graph does what comes again; what it takes of the batch is on the device before. */
    @Override
    public void repeatable(Object operands, PackedBatch batch, Runnable operations) {
        if (start(batch)) {
            RecordedPasses.Key key =
                    new RecordedPasses.Key(operands, rows.shape(), rows.targetCount(), batch.hasDropout());
            time.around(() -> passes.run(key, batch, operations));
        }
    }

    /** So they are meant to be used, also while {@link #setRecording} is off: what is computed does not depend on it. */
    @Override
    public boolean replays() {
        return true;
    }

    /** Whether {@link #repeatable} records operations and replays them; it does until told otherwise. */
    public void setRecording(boolean on) {
        passes.turn(on);
    }

    /** Passes that were replayed so far: none where the driver refuses recordings. */
    public int replayedPasses() {
        return passes.replayed();
    }

    /** Whether {@link #workSeconds} is kept account of; at first it is not. */
    public void setTiming(boolean on) {
        time.turn(on);
    }

    /**
     * Seconds from when the device was free for the first thing of each {@link #repeatable} and {@link #optimize} to when it had
     * done the last, added up since this was last asked. Where it waits for an operation to be launched meanwhile, that counts too.
     */
    public double workSeconds() {
        return time.seconds();
    }

    /** Whether there is work; the batch's rows are then on the device. */
    private boolean start(PackedBatch batch) {
        if (!rows.is(batch) && batch.rows() > 0) {
            rows.start(batch);
        }
        return batch.rows() > 0;
    }

    @Override
    public void embed(Tensor table, PackedBatch batch, Tensor y) {
        passes.check(batch, of -> check.embed(table, of, y));
        if (start(batch)) {
            CudaLibrary.check(Plora.embed(
                    table.address(), rows.tokens(), y.address(), batch.rows(), (int) table.dim(1), memory.stream()));
        }
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, double epsilon, PackedBatch batch, Tensor y, Tensor inverseRms) {
        check.rmsNorm(x, weight, batch, y, inverseRms);
        if (batch.rows() > 0) {
            CudaLibrary.check(Plora.rmsNorm(
                    x.address(),
                    weight.address(),
                    (float) epsilon,
                    y.address(),
                    inverseRms.address(),
                    batch.rows(),
                    (int) weight.size(),
                    memory.stream()));
        }
    }

    @Override
    public void rmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dY, PackedBatch batch, Tensor dX) {
        check.rmsNormBackward(x, weight, inverseRms, dY, batch, dX);
        if (batch.rows() > 0) {
            CudaLibrary.check(Plora.rmsNormBackward(
                    x.address(),
                    weight.address(),
                    inverseRms.address(),
                    dY.address(),
                    dX.address(),
                    batch.rows(),
                    (int) weight.size(),
                    memory.stream()));
        }
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
        if (start(batch)) {
            projections.project(projection, adapters, batch, x, lowRank, residual, y);
        }
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
        if (start(batch)) {
            projections.backward(projection, adapters, batch, x, lowRank, dY, dX);
        }
    }

    @Override
    public void rotary(AttentionShape shape, Tensor table, PackedBatch batch, Tensor qkv, boolean inverse) {
        check.rotary(shape, table, batch, qkv);
        if (start(batch)) {
            CudaLibrary.check(Plora.rotary(
                    heads(shape),
                    table.address(),
                    rows.positions(),
                    qkv.address(),
                    batch.rows(),
                    inverse ? 1 : 0,
                    memory.stream()));
        }
    }

    private Plora.Heads heads(AttentionShape shape) {
        return heads.computeIfAbsent(shape, of -> {
            Plora.Heads made = new Plora.Heads();
            made.heads(of.heads());
            made.kvHeads(of.kvHeads());
            made.headSize(of.headSize());
            return made;
        });
    }

    @Override
    public void attention(AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp) {
        check.attention(shape, batch, qkv, y, logSumExp);
        if (start(batch)) {
            CudaLibrary.check(Plora.attention(
                    heads(shape),
                    rows.plans().attentionTiles().address(),
                    rows.plans().attentionTileCount(),
                    qkv.address(),
                    y.address(),
                    logSumExp.address(),
                    memory.stream()));
        }
    }

    @Override
    public void attentionBackward(
            AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp, Tensor dY, Tensor dQkv) {
        check.attentionBackward(shape, batch, qkv, y, logSumExp, dY, dQkv);
        if (start(batch)) {
            CudaLibrary.check(Plora.attentionBackward(
                    heads(shape),
                    rows.plans().attentionTiles().address(),
                    rows.plans().attentionTileCount(),
                    batch.rows(),
                    qkv.address(),
                    y.address(),
                    logSumExp.address(),
                    dY.address(),
                    dQkv.address(),
                    workspace.ofBytes(
                            Plora.attentionWorkspace(heads(shape), rows.plans().attentionTileCount(), batch.rows())),
                    memory.stream()));
        }
    }

    @Override
    public void swiGlu(Tensor gateUp, PackedBatch batch, Tensor y) {
        check.swiGlu(gateUp, batch, y);
        if (batch.rows() > 0) {
            CudaLibrary.check(
                    Plora.swiGlu(gateUp.address(), y.address(), batch.rows(), (int) y.dim(1), memory.stream()));
        }
    }

    @Override
    public void swiGluBackward(Tensor gateUp, Tensor dY, PackedBatch batch, Tensor dGateUp) {
        check.swiGluBackward(gateUp, dY, batch, dGateUp);
        if (batch.rows() > 0) {
            CudaLibrary.check(Plora.swiGluBackward(
                    gateUp.address(), dY.address(), dGateUp.address(), batch.rows(), (int) dY.dim(1), memory.stream()));
        }
    }

    @Override
    public void crossEntropy(Tensor x, Tensor weight, PackedBatch batch, Tensor losses, @Nullable Tensor dX) {
        passes.check(batch, of -> check.crossEntropy(x, weight, of, losses, dX));
        if (!start(batch)) {
            return;
        }
        int vocabulary = (int) weight.dim(0);
        int hidden = (int) weight.dim(1);
        int chunkRows = Math.min(lossChunkRows(vocabulary), ProductRows.rounded(batch.rows()));
        CudaLibrary.check(Plora.crossEntropy(
                blas,
                x.address(),
                weight.address(),
                rows.targetRows(),
                rows.targetCount(),
                rows.targets(),
                rows.lossWeights(),
                batch.rows(),
                hidden,
                vocabulary,
                chunkRows,
                losses.address(),
                dX == null ? 0 : dX.address(),
                workspace.ofBytes(Plora.crossEntropyWorkspace(chunkRows, hidden, vocabulary)),
                memory.stream()));
    }

    @Override
    public void logits(Tensor x, Tensor weight, PackedBatch batch, Tensor y) {
        check.logits(x, weight, batch, y);
        if (batch.rows() > 0) {
            CudaLibrary.check(Plora.logits(
                    blas,
                    x.address(),
                    weight.address(),
                    y.address(),
                    batch.rows(),
                    (int) weight.dim(1),
                    (int) weight.dim(0),
                    memory.stream()));
        }
    }

    @Override
    public double[] optimize(List<OptimizerStep> steps) {
        check.optimize(steps);
        return optimizer.optimize(steps);
    }

    /** Waits for all work that has been enqueued. */
    public void synchronize() {
        memory.synchronize();
    }

    /** To be called on the thread that opened these kernels; gives all memory back. */
    @Override
    public void close() {
        if (!closed) {
            memory.synchronize();
            closed = true;
            try {
                passes.close();
                time.close();
                heads.values().forEach(Plora.Heads::close);
                CudaLibrary.check(Plora.destroyBlas(blas));
            } finally {
                memory.close();
            }
        }
    }
}
