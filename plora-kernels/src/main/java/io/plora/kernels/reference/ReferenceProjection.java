package io.plora.kernels.reference;

import io.plora.kernels.Dropout;
import io.plora.kernels.LoraTable;
import io.plora.kernels.LoraTerm;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import java.nio.DoubleBuffer;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Frozen products and low-rank terms. Low-rank activations lie adapter by adapter, then part by part, each (rows, rank).
 */
final class ReferenceProjection {
    private ReferenceProjection() {}

    static void project(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            Tensor y,
            boolean accumulate) {
        frozen(projection, batch, x, y, accumulate);
        forEachTerm(projection, adapters, batch, lowRank, term -> term.forward(x, y));
    }

    static void backward(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor x,
            Tensor lowRank,
            Tensor dY,
            @Nullable Tensor dX) {
        if (dX != null) {
            frozenBackward(projection, batch, dY, dX);
        }
        forEachTerm(projection, adapters, batch, lowRank, term -> term.backward(x, dY, dX));
    }

    private static void frozen(PackedProjection projection, PackedBatch batch, Tensor x, Tensor y, boolean accumulate) {
        int in = projection.inputs();
        int out = projection.outputs();
        DoubleBuffer weight = projection.weight().doubles();
        for (int row = 0; row < batch.rows(); row++) {
            for (int o = 0; o < out; o++) {
                double sum = accumulate ? y.doubles().get(row * out + o) : 0;
                sum += projection.bias() == null
                        ? 0
                        : projection.bias().doubles().get(o);
                for (int i = 0; i < in; i++) {
                    sum += x.doubles().get(row * in + i) * weight.get(o * in + i);
                }
                y.doubles().put(row * out + o, sum);
            }
        }
    }

    private static void frozenBackward(PackedProjection projection, PackedBatch batch, Tensor dY, Tensor dX) {
        int in = projection.inputs();
        int out = projection.outputs();
        DoubleBuffer weight = projection.weight().doubles();
        for (int row = 0; row < batch.rows(); row++) {
            for (int i = 0; i < in; i++) {
                double sum = 0;
                for (int o = 0; o < out; o++) {
                    sum += dY.doubles().get(row * out + o) * weight.get(o * in + i);
                }
                dX.doubles().put(row * in + i, sum);
            }
        }
    }

    private static void forEachTerm(
            PackedProjection projection,
            LoraTable adapters,
            PackedBatch batch,
            Tensor lowRank,
            Consumer<Segment> action) {
        int offset = 0;
        for (int adapter = 0; adapter < adapters.adapters(); adapter++) {
            for (int part = 0; part < projection.parts().size(); part++) {
                LoraTerm term = adapters.term(adapter, part);
                if (term != null) {
                    action.accept(new Segment(
                            projection, projection.parts().get(part), term, batch, adapter, lowRank.doubles(), offset));
                    offset += batch.adapterRows(adapter) * term.loraRank();
                }
            }
        }
    }

    /** One adapter's rows on one part. */
    private record Segment(
            PackedProjection projection,
            PackedProjection.Part part,
            LoraTerm term,
            PackedBatch batch,
            int adapter,
            DoubleBuffer lowRank,
            int lowRankOffset) {

        void forward(Tensor x, Tensor y) {
            int in = projection.inputs();
            int rank = term.loraRank();
            for (int row = batch.adapterStart(adapter); row < batch.adapterEnd(adapter); row++) {
                for (int r = 0; r < rank; r++) {
                    double sum = 0;
                    for (int i = 0; i < in; i++) {
                        sum += dropped(x.doubles().get(row * in + i), row, i)
                                * term.a().doubles().get(r * in + i);
                    }
                    lowRank.put(lowRankAt(row, r), sum);
                }
                for (int o = 0; o < part.outputs(); o++) {
                    double sum = 0;
                    for (int r = 0; r < rank; r++) {
                        sum += lowRank.get(lowRankAt(row, r))
                                * term.b().doubles().get(o * rank + r);
                    }
                    add(y, outputAt(row, o), term.scale() * sum);
                }
            }
        }

        void backward(Tensor x, Tensor dY, @Nullable Tensor dX) {
            int in = projection.inputs();
            int rank = term.loraRank();
            Tensor gradientA = Objects.requireNonNull(term.gradientA());
            Tensor gradientB = Objects.requireNonNull(term.gradientB());
            if (batch.startsGradients(adapter)) {
                clear(gradientA);
                clear(gradientB);
            }
            for (int row = batch.adapterStart(adapter); row < batch.adapterEnd(adapter); row++) {
                for (int r = 0; r < rank; r++) {
                    double dLowRank = 0;
                    for (int o = 0; o < part.outputs(); o++) {
                        double gradient = term.scale() * dY.doubles().get(outputAt(row, o));
                        dLowRank += gradient * term.b().doubles().get(o * rank + r);
                        add(gradientB, o * rank + r, gradient * lowRank.get(lowRankAt(row, r)));
                    }
                    for (int i = 0; i < in; i++) {
                        add(
                                gradientA,
                                r * in + i,
                                dLowRank * dropped(x.doubles().get(row * in + i), row, i));
                        if (dX != null) {
                            double gradient = dLowRank * term.a().doubles().get(r * in + i);
                            add(dX, row * in + i, dropped(gradient, row, i));
                        }
                    }
                }
            }
        }

        private static void clear(Tensor gradient) {
            for (int i = 0; i < gradient.size(); i++) {
                gradient.doubles().put(i, 0);
            }
        }

        private double dropped(double value, int row, int column) {
            if (!batch.hasDropout() || term.dropout() == 0) {
                return value;
            }
            int threshold = Dropout.threshold(term.dropout());
            boolean drops = Dropout.drops(batch.dropoutKey(row), part.module(), column, threshold);
            return drops ? 0 : value * Dropout.keepScale(term.dropout());
        }

        private int lowRankAt(int row, int r) {
            return lowRankOffset + (row - batch.adapterStart(adapter)) * term.loraRank() + r;
        }

        private int outputAt(int row, int output) {
            return row * projection.outputs() + part.from() + output;
        }

        private static void add(Tensor to, int index, double value) {
            to.doubles().put(index, to.doubles().get(index) + value);
        }
    }
}
