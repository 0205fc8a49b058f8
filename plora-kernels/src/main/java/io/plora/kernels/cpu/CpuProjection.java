package io.plora.kernels.cpu;

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
        boolean start = !accumulate;
        if (projection.bias() != null) {
            addBias(projection.bias(), ys, accumulate);
            start = false;
        }
        workers.multiply(xs, Matrix.of(projection.weight()).transpose(), start ? 0 : 1, ys);
        List<Workers.Work> pieces = new ArrayList<>();
        for (LowRankPiece term : terms(projection, adapters, batch, lowRank)) {
            pieces.addAll(term.byRows((from, to, scratch) -> term.forward(from, to, xs, ys, scratch)));
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
                if (!accumulate) {
                    ys.store(t, t + 1, values);
                    continue;
                }
                ys.load(t, t + 1, row);
                for (int i = 0; i < width; i++) {
                    row[i] += values[i];
                }
                ys.store(t, t + 1, row);
            }
        });
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
        int size = Math.toIntExact(adapters.lowRankSize(batch));
        Tensor dLowRank = shared.direct(0, 1, Math.max(1, size)).tensor();
        List<LowRankPiece> terms = terms(projection, adapters, batch, lowRank);
        List<LowRankPiece> gradients = terms(projection, adapters, batch, dLowRank);

        List<Workers.Work> pieces = new ArrayList<>();
        for (LowRankPiece gradient : gradients) {
            pieces.addAll(gradient.byRows((from, to, scratch) -> gradient.lowRankGradient(from, to, dYs, scratch)));
        }
        workers.run(pieces);

        pieces.clear();
        for (int i = 0; i < terms.size(); i++) {
            LowRankPiece term = terms.get(i);
            LowRankPiece gradient = gradients.get(i);
            pieces.addAll(term.byOutputs((from, to, scratch) -> term.addGradientB(from, to, dYs, scratch)));
            pieces.addAll(gradient.byInputs((from, to, scratch) -> gradient.addGradientA(from, to, xs, scratch)));
        }
        if (dX != null) {
            Matrix dXs = Matrix.of(dX, batch.rows(), projection.inputs());
            workers.multiply(dYs, Matrix.of(projection.weight()), 0, dXs);
            pieces.addAll(inputGradients(gradients, adapters, batch, dXs));
        }
        workers.run(pieces);
    }

    /** All parts of an adapter add to the same rows, so one piece does them one after the other. */
    private static List<Workers.Work> inputGradients(
            List<LowRankPiece> gradients, LoraTable adapters, PackedBatch batch, Matrix dXs) {
        List<Workers.Work> pieces = new ArrayList<>();
        for (int adapter = 0; adapter < adapters.adapters(); adapter++) {
            int start = batch.adapterStart(adapter);
            List<LowRankPiece> own =
                    gradients.stream().filter(term -> term.start() == start).toList();
            pieces.addAll(Workers.cut(batch.adapterRows(adapter), LowRankPiece.ROWS, (from, to, scratch) -> {
                for (LowRankPiece term : own) {
                    term.addInputGradient(from, to, dXs, scratch);
                }
            }));
        }
        return pieces;
    }

    /** The terms of all adapters that have rows. */
    private static List<LowRankPiece> terms(
            PackedProjection projection, LoraTable adapters, PackedBatch batch, Tensor lowRank) {
        List<LowRankPiece> terms = new ArrayList<>();
        int offset = 0;
        for (int adapter = 0; adapter < adapters.adapters(); adapter++) {
            int rows = batch.adapterRows(adapter);
            for (int part = 0; part < projection.parts().size() && rows > 0; part++) {
                LoraTerm term = adapters.term(adapter, part);
                if (term != null) {
                    Matrix activations = Matrix.at(lowRank, offset, rows, term.loraRank());
                    terms.add(new LowRankPiece(
                            projection.parts().get(part), term, batch, batch.adapterStart(adapter), activations));
                    offset += rows * term.loraRank();
                }
            }
        }
        return terms;
    }
}
