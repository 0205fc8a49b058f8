package io.plora.kernels;

import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Checks the operands of every operation of {@link Kernels}, so that all implementations fail alike.
 *
 * <p>All methods throw IllegalArgumentException naming the operand and what it should be.
 */
public final class OperandCheck {
    private final DType activations;
    private final DType parameters;

    /** Tables, which do not change, with the projection that their terms and its parts were found to fit. */
    private final Map<LoraTable, PackedProjection> withTerms = new WeakHashMap<>();

    /** The same for gradients. */
    private final Map<LoraTable, PackedProjection> withGradients = new WeakHashMap<>();

    public OperandCheck(DType activations, DType parameters) {
        this.activations = activations;
        this.parameters = parameters;
    }

    public void allocate(DType type) {
        if (type != activations && type != parameters) {
            throw new IllegalArgumentException(
                    "These kernels compute in (%s) and (%s), not in (%s).".formatted(activations, parameters, type));
        }
    }

    public void copy(Tensor from, Tensor to) {
        if (from.type() != to.type() || from.size() != to.size()) {
            throw new IllegalArgumentException("to (%s) must have the type and size of from (%s).".formatted(to, from));
        }
    }

    public void uniform(Tensor to) {
        require("to", to, parameters, to.shape());
    }

    public void embed(Tensor table, PackedBatch batch, Tensor y) {
        require("table", table, activations, table.dim(0), y.dim(y.rank() - 1));
        requireRows("y", y, activations, batch, table.dim(1));
        for (int row = 0; row < batch.rows(); row++) {
            requireToken("token", batch.token(row), row, table.dim(0));
        }
    }

    public void rmsNorm(Tensor x, Tensor weight, PackedBatch batch, Tensor y, Tensor inverseRms) {
        requireNorm(x, weight, inverseRms, batch);
        requireRows("y", y, activations, batch, weight.size());
    }

    public void rmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dY, PackedBatch batch, Tensor dX) {
        requireNorm(x, weight, inverseRms, batch);
        requireRows("dY", dY, activations, batch, weight.size());
        requireRows("dX", dX, activations, batch, weight.size());
    }

    private void requireNorm(Tensor x, Tensor weight, Tensor inverseRms, PackedBatch batch) {
        require("weight", weight, activations, weight.size());
        requireRows("x", x, activations, batch, weight.size());
        requireRows("inverseRms", inverseRms, parameters, batch);
    }

    public void project(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            @Nullable Tensor residual,
            Tensor y) {
        requireProjection(projection, adapters, batch, x, lowRank);
        requireRows("y", y, activations, batch, projection.outputs());
        if (residual != null) {
            requireRows("residual", residual, activations, batch, projection.outputs());
        }
    }

    private void requireProjection(
            PackedProjection projection, LoraTable adapters, PackedBatch batch, Tensor x, Tensor lowRank) {
        require("weight", projection.weight(), activations, projection.outputs(), projection.inputs());
        if (projection.bias() != null) {
            require("bias", projection.bias(), activations, projection.outputs());
        }
        requireRows("x", x, activations, batch, projection.inputs());
        if (adapters.adapters() != batch.adapters()) {
            throw new IllegalArgumentException(
                    "The table has (%d) adapters, the batch (%d).".formatted(adapters.adapters(), batch.adapters()));
        }
        if (withTerms.get(adapters) != projection) {
            requireParts(projection);
            requireTerms(projection, adapters);
            withTerms.put(adapters, projection);
        }
        long lowRankSize = adapters.lowRankSize(batch, activations);
        if (lowRank.type() != activations || lowRank.size() < lowRankSize) {
            throw new IllegalArgumentException("lowRank (%s) must have at least (%d) elements of type (%s)."
                    .formatted(lowRank, lowRankSize, activations));
        }
    }

    public void projectBackward(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            Tensor dY,
            @Nullable Tensor dX) {
        requireProjection(projection, adapters, batch, x, lowRank);
        requireRows("dY", dY, activations, batch, projection.outputs());
        if (dX != null) {
            requireRows("dX", dX, activations, batch, projection.inputs());
        }
        if (withGradients.get(adapters) != projection) {
            requireGradients(projection, adapters);
            withGradients.put(adapters, projection);
        }
    }

    private void requireGradients(PackedProjection projection, LoraTable adapters) {
        for (int adapter = 0; adapter < adapters.adapters(); adapter++) {
            for (int part = 0; part < projection.parts().size(); part++) {
                LoraTerm term = adapters.term(adapter, part);
                if (term != null) {
                    int rank = term.loraRank();
                    requireGradient("gradientA", term.gradientA(), adapter, part, rank, projection.inputs());
                    int outputs = projection.parts().get(part).outputs();
                    requireGradient("gradientB", term.gradientB(), adapter, part, outputs, rank);
                }
            }
        }
    }

    private static void requireParts(PackedProjection projection) {
        int end = 0;
        for (PackedProjection.Part part : projection.parts()) {
            if (part.from() < end || part.to() <= part.from() || part.to() > projection.outputs()) {
                throw new IllegalArgumentException("Parts (%s) must be in order, none empty, within the outputs (%d)."
                        .formatted(projection.parts(), projection.outputs()));
            }
            end = part.to();
        }
    }

    private void requireTerms(PackedProjection projection, LoraTable adapters) {
        List<PackedProjection.Part> parts = projection.parts();
        if (adapters.adapters() > 0 && adapters.parts() != parts.size()) {
            throw new IllegalArgumentException("The table has terms for (%d) parts, the projection has (%d)."
                    .formatted(adapters.parts(), parts.size()));
        }
        for (int adapter = 0; adapter < adapters.adapters(); adapter++) {
            for (int part = 0; part < parts.size(); part++) {
                LoraTerm term = adapters.term(adapter, part);
                if (term == null) {
                    continue;
                }
                int rank = term.loraRank();
                if (rank < 1) {
                    throw new IllegalArgumentException(
                            "The rank (%d) of adapter (%d) must be at least 1.".formatted(rank, adapter));
                }
                require("a", term.a(), activations, rank, projection.inputs());
                int stride = AdapterState.stride(activations, rank);
                require("b", term.b(), activations, parts.get(part).outputs(), stride);
                if (!(term.dropout() >= 0) || Dropout.threshold(term.dropout()) >= 65536) {
                    throw new IllegalArgumentException(
                            "Dropout (%s) of adapter (%d) must be in [0, 1).".formatted(term.dropout(), adapter));
                }
            }
        }
    }

    private void requireGradient(String name, @Nullable Tensor gradient, int adapter, int part, long... shape) {
        if (gradient == null) {
            throw new IllegalArgumentException(
                    "%s of adapter (%d) on part (%d) is null: its terms are for evaluation and have no backward pass."
                            .formatted(name, adapter, part));
        }
        require(name, gradient, parameters, shape);
    }

    public void rotary(AttentionShape shape, Tensor table, PackedBatch batch, Tensor qkv) {
        require("table", table, parameters, table.dim(0), shape.headSize());
        requireRows("qkv", qkv, activations, batch, shape.qkvSize());
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            int length = batch.sequenceEnd(sequence) - batch.sequenceStart(sequence);
            if (length > table.dim(0)) {
                throw new IllegalArgumentException("Sequence (%d) has (%d) tokens, the table of rotations (%d)."
                        .formatted(sequence, length, table.dim(0)));
            }
        }
    }

    public void attention(AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp) {
        requireRows("qkv", qkv, activations, batch, shape.qkvSize());
        requireRows("y", y, activations, batch, shape.outputSize());
        requireRows("logSumExp", logSumExp, parameters, batch, shape.heads());
    }

    public void attentionBackward(
            AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp, Tensor dY, Tensor dQkv) {
        attention(shape, batch, qkv, y, logSumExp);
        requireRows("dY", dY, activations, batch, shape.outputSize());
        requireRows("dQkv", dQkv, activations, batch, shape.qkvSize());
    }

    public void swiGlu(Tensor gateUp, PackedBatch batch, Tensor y) {
        requireSwiGlu(gateUp, batch, "y", y);
    }

    public void swiGluBackward(Tensor gateUp, Tensor dY, PackedBatch batch, Tensor dGateUp) {
        requireSwiGlu(gateUp, batch, "dY", dY);
        requireRows("dGateUp", dGateUp, activations, batch, 2 * dY.dim(1));
    }

    private void requireSwiGlu(Tensor gateUp, PackedBatch batch, String name, Tensor output) {
        long features = output.dim(output.rank() - 1);
        requireRows("gateUp", gateUp, activations, batch, 2 * features);
        requireRows(name, output, activations, batch, features);
    }

    public void crossEntropy(Tensor x, Tensor weight, PackedBatch batch, Tensor losses, @Nullable Tensor dX) {
        requireOutputLayer(x, weight, batch);
        requireRows("losses", losses, parameters, batch);
        if (dX != null) {
            requireRows("dX", dX, activations, batch, weight.dim(1));
        }
        for (int row = 0; row < batch.rows(); row++) {
            if (batch.target(row) != -1) {
                requireToken("target", batch.target(row), row, weight.dim(0));
            }
        }
    }

    public void logits(Tensor x, Tensor weight, PackedBatch batch, Tensor y) {
        requireOutputLayer(x, weight, batch);
        requireRows("y", y, parameters, batch, weight.dim(0));
    }

    private void requireOutputLayer(Tensor x, Tensor weight, PackedBatch batch) {
        require("weight", weight, activations, weight.dim(0), weight.dim(weight.rank() - 1));
        requireRows("x", x, activations, batch, weight.dim(1));
    }

    public void optimize(List<OptimizerStep> steps) {
        for (OptimizerStep step : steps) {
            require(
                    "parameters",
                    step.adapter().parameters(),
                    parameters,
                    step.adapter().size());
            if (step.step() < 1) {
                throw new IllegalArgumentException("step (%d) must be at least 1.".formatted(step.step()));
            }
        }
    }

    /** Exactly this shape and type. */
    private static void require(String name, Tensor tensor, DType type, long... shape) {
        boolean fits = tensor.type() == type && tensor.rank() == shape.length;
        for (int axis = 0; axis < shape.length && fits; axis++) {
            fits = tensor.dim(axis) == shape[axis];
        }
        if (!fits) {
            throw wrong(name, tensor, type, shape);
        }
    }

    /** At least the batch's rows, each of this shape. */
    private static void requireRows(String name, Tensor tensor, DType type, PackedBatch batch, long... rowShape) {
        boolean fits = tensor.type() == type && tensor.rank() == rowShape.length + 1 && tensor.dim(0) >= batch.rows();
        for (int axis = 0; axis < rowShape.length && fits; axis++) {
            fits = tensor.dim(axis + 1) == rowShape[axis];
        }
        if (!fits) {
            long[] shape = new long[rowShape.length + 1];
            shape[0] = batch.rows();
            System.arraycopy(rowShape, 0, shape, 1, rowShape.length);
            throw wrong(name, tensor, type, shape);
        }
    }

    private static IllegalArgumentException wrong(String name, Tensor tensor, DType type, long[] shape) {
        StringBuilder text = new StringBuilder();
        for (long dimension : shape) {
            text.append(text.isEmpty() ? "" : ", ").append(dimension);
        }
        return new IllegalArgumentException(
                "%s (%s) must have shape (%s) and type (%s).".formatted(name, tensor, text, type));
    }

    private static void requireToken(String name, int token, int row, long vocabulary) {
        if (token < 0 || token >= vocabulary) {
            throw new IllegalArgumentException(
                    "%s (%d) of row (%d) is outside the vocabulary (%d).".formatted(name, token, row, vocabulary));
        }
    }
}
