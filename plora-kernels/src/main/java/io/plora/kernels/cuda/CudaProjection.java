package io.plora.kernels.cuda;

import io.plora.kernels.LoraTable;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Projections with their low-rank terms: in one call with the frozen product where the plan says that this is faster (in its
 * kernel, or beside it and added afterwards), else low-rank terms first, to which the frozen product is then added.
 */
final class CudaProjection {
    private final DeviceMemory memory;
    private final Workspace workspace;
    private final Plora.Blas blas;
    private final DeviceBatch rows;
    private final DeviceTables tables;

    CudaProjection(DeviceMemory memory, Workspace workspace, Plora.Blas blas, DeviceBatch rows, DeviceTables tables) {
        this.memory = memory;
        this.workspace = workspace;
        this.blas = blas;
        this.rows = rows;
        this.tables = tables;
    }

    void project(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            @Nullable Tensor residual,
            Tensor y) {
        DeviceTables.DeviceTable table = tables.of(projection, adapters);
        Tensor bias = projection.bias();
        boolean hasTerms = table.shape().hasTerms();
        boolean lowRankFirst = hasTerms || bias != null;
        if (lowRankFirst) {
            LoraPlans.DevicePlan plan = rows.plans().lora().of(table.shape());
            if (hasTerms && plan.plan().linear() != 0) {
                CudaLibrary.check(Plora.loraLinear(
                        plan.plan(),
                        plan.tiles().address(),
                        table.terms().address(),
                        rows.dropoutKeys(),
                        x.address(),
                        projection.weight().address(),
                        y.address(),
                        address(residual),
                        address(bias),
                        lowRank.address(),
                        workspace.ofBytes(plan.plan().workspaceBytes()),
                        memory.stream()));
                return;
            }
            addLowRank(plan, table, projection, x, lowRank, residual, y);
        } else if (residual != null && residual != y) {
            long bytes = (long) batch.rows() * projection.outputs() * y.type().bytes();
            CudaLibrary.check(Plora.copy(y.address(), residual.address(), bytes, memory.stream()));
        }
        CudaLibrary.check(Plora.linear(
                blas,
                x.address(),
                projection.weight().address(),
                y.address(),
                ProductRows.rounded(batch.rows(), x, y),
                projection.inputs(),
                projection.outputs(),
                lowRankFirst || residual != null ? 1 : 0,
                memory.stream()));
    }

    private static long address(@Nullable Tensor tensor) {
        return tensor == null ? 0 : tensor.address();
    }

    private void addLowRank(
            LoraPlans.DevicePlan plan,
            DeviceTables.DeviceTable table,
            PackedProjection projection,
            Tensor x,
            Tensor lowRank,
            @Nullable Tensor residual,
            Tensor y) {
        CudaLibrary.check(Plora.loraShrink(
                plan.plan(),
                plan.tiles().address(),
                table.terms().address(),
                rows.dropoutKeys(),
                x.address(),
                lowRank.address(),
                workspace.ofBytes(plan.plan().workspaceBytes()),
                memory.stream()));
        CudaLibrary.check(Plora.loraExpand(
                plan.plan(),
                plan.tiles().address(),
                table.terms().address(),
                lowRank.address(),
                y.address(),
                address(residual),
                address(projection.bias()),
                memory.stream()));
    }

    void backward(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            Tensor dY,
            @Nullable Tensor dX) {
        DeviceTables.DeviceTable table = tables.of(projection, adapters);
        LoraPlans.DevicePlan plan = rows.plans().lora().of(table.shape());
        long sums = workspace.ofBytes(plan.plan().workspaceBytes());
        if (dX != null && plan.plan().linearBackward() != 0) {
            CudaLibrary.check(Plora.loraLinearBackward(
                    plan.plan(),
                    plan.tiles().address(),
                    table.terms().address(),
                    x.address(),
                    dY.address(),
                    projection.weight().address(),
                    dX.address(),
                    lowRank.address(),
                    sums,
                    memory.stream()));
            return;
        }
        CudaLibrary.check(Plora.loraBackward(
                plan.plan(),
                plan.tiles().address(),
                table.terms().address(),
                rows.dropoutKeys(),
                x.address(),
                lowRank.address(),
                dY.address(),
                address(dX),
                sums,
                memory.stream()));
        if (dX != null) {
            CudaLibrary.check(Plora.linearBackward(
                    blas,
                    dY.address(),
                    projection.weight().address(),
                    dX.address(),
                    ProductRows.rounded(batch.rows(), dY, dX),
                    projection.inputs(),
                    projection.outputs(),
                    1,
                    memory.stream()));
        }
    }
}
