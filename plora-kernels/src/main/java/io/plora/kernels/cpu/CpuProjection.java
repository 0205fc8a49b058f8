package io.plora.kernels.cpu;

import io.plora.kernels.DType;
import io.plora.kernels.LoraTable;
import io.plora.kernels.LoraTerm;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Frozen products and low-rank terms. Low-rank activations lie adapter by adapter, then part by part, each (rows, rank).
 *
 * <p>The pieces of all adapters are one list of work; a long adapter is cut into several. Each element of a result is
 * written by one piece only.
 */
final class CpuProjection {
    private static final int BIAS_ROWS = 64;

    private final Workers workers;
    /** Gradients of the low-rank activations of all adapters. */
    private final Scratch shared = new Scratch();

    CpuProjection(Workers workers) {
        this.workers = workers;
    }

    void project(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            Tensor y,
            boolean accumulate) {
        Matrix xs = Matrix.of(x, batch.rows(), projection.inputs());
        Matrix ys = Matrix.of(y, batch.rows(), projection.outputs());
        if (projection.bias() != null) {
            addBias(projection.bias(), ys, accumulate);
        }
        boolean adds = accumulate || projection.bias() != null;
        workers.multiply(xs, Matrix.of(projection.weight()).transpose(), adds ? 1 : 0, ys);
        List<Workers.Work> pieces = new ArrayList<>();
        for (List<LowRankPiece> adapter : terms(projection, adapters, batch, lowRank)) {
            for (LowRankPiece term : adapter) {
                pieces.addAll(term.byRows((from, to, scratch) -> term.forward(from, to, xs, ys, scratch)));
            }
        }
        workers.run(pieces);
    }

    private void addBias(Tensor bias, Matrix ys, boolean accumulate) {
        int width = ys.columns();
        float[] values = new float[width];
        bias.floats().get(0, values);
        workers.ranges(ys.rows(), BIAS_ROWS, (from, to, scratch) -> {
            float[] row = scratch.heap(0, width);
            for (int t = from; t < to; t++) {
                System.arraycopy(values, 0, row, 0, width);
                if (accumulate) {
                    ys.load(t, t + 1, row);
                    add(values, row);
                }
                ys.store(t, t + 1, row);
            }
        });
    }

    private static void add(float[] values, float[] to) {
        for (int i = 0; i < values.length; i++) {
            to[i] += values[i];
        }
    }

    void backward(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            Tensor dY,
            @Nullable Tensor dX) {
        Matrix xs = Matrix.of(x, batch.rows(), projection.inputs());
        Matrix dYs = Matrix.of(dY, batch.rows(), projection.outputs());
        int size = Math.toIntExact(adapters.lowRankSize(batch, DType.F32));
        Tensor dLowRank = shared.direct(0, 1, Math.max(1, size)).tensor();
        List<List<LowRankPiece>> terms = terms(projection, adapters, batch, lowRank);
        List<List<LowRankPiece>> gradients = terms(projection, adapters, batch, dLowRank);

        workers.run(lowRankGradients(gradients, dYs));
        List<Workers.Work> pieces = new ArrayList<>(parameterGradients(terms, gradients, xs, dYs));
        if (dX != null) {
            Matrix dXs = Matrix.of(dX, batch.rows(), projection.inputs());
            workers.multiply(dYs, Matrix.of(projection.weight()), 0, dXs);
            pieces.addAll(inputGradients(gradients, dXs));
        }
        workers.run(pieces);
    }

    private static List<Workers.Work> lowRankGradients(List<List<LowRankPiece>> gradients, Matrix dYs) {
        List<Workers.Work> pieces = new ArrayList<>();
        for (List<LowRankPiece> adapter : gradients) {
            for (LowRankPiece gradient : adapter) {
                pieces.addAll(gradient.byRows((from, to, scratch) -> gradient.lowRankGradient(from, to, dYs, scratch)));
            }
        }
        return pieces;
    }

    private static List<Workers.Work> parameterGradients(
            List<List<LowRankPiece>> terms, List<List<LowRankPiece>> gradients, Matrix xs, Matrix dYs) {
        List<Workers.Work> pieces = new ArrayList<>();
        for (int adapter = 0; adapter < terms.size(); adapter++) {
            for (LowRankPiece term : terms.get(adapter)) {
                pieces.addAll(term.byOutputs((from, to, scratch) -> term.addGradientB(from, to, dYs, scratch)));
            }
            for (LowRankPiece gradient : gradients.get(adapter)) {
                pieces.addAll(gradient.byInputs((from, to, scratch) -> gradient.addGradientA(from, to, xs, scratch)));
            }
        }
        return pieces;
    }

    /** All parts of an adapter add to the same rows, so one piece does them one after the other. */
    private static List<Workers.Work> inputGradients(List<List<LowRankPiece>> gradients, Matrix dXs) {
        List<Workers.Work> pieces = new ArrayList<>();
        for (List<LowRankPiece> adapter : gradients) {
            if (!adapter.isEmpty()) {
                pieces.addAll(adapter.get(0).byRows((from, to, scratch) -> {
                    for (LowRankPiece term : adapter) {
                        term.addInputGradient(from, to, dXs, scratch);
                    }
                }));
            }
        }
        return pieces;
    }

    /** The terms of each adapter, none for an adapter without rows. */
    private static List<List<LowRankPiece>> terms(
            PackedProjection projection, LoraTable adapters, PackedBatch batch, Tensor lowRank) {
        List<List<LowRankPiece>> terms = new ArrayList<>();
        int offset = 0;
        for (int adapter = 0; adapter < adapters.adapters(); adapter++) {
            List<LowRankPiece> own = new ArrayList<>();
            terms.add(own);
            int rows = batch.adapterRows(adapter);
            for (int part = 0; part < projection.parts().size() && rows > 0; part++) {
                LoraTerm term = adapters.term(adapter, part);
                if (term != null) {
                    Matrix activations = Matrix.at(lowRank, offset, rows, term.loraRank());
                    own.add(new LowRankPiece(
                            projection.parts().get(part),
                            term,
                            batch,
                            batch.adapterStart(adapter),
                            batch.startsGradients(adapter) ? 0 : 1,
                            activations));
                    offset += rows * term.loraRank();
                }
            }
        }
        return terms;
    }
}
