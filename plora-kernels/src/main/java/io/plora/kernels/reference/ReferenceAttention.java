package io.plora.kernels.reference;

import io.plora.kernels.AttentionShape;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import java.nio.DoubleBuffer;

/** Rotary embedding and causal attention, one sequence and one query head at a time. */
final class ReferenceAttention {
    private ReferenceAttention() {}

    static void rotary(AttentionShape shape, Tensor table, PackedBatch batch, Tensor qkv, boolean inverse) {
        int half = shape.headSize() / 2;
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            for (int row = batch.sequenceStart(sequence); row < batch.sequenceEnd(sequence); row++) {
                int angles = (row - batch.sequenceStart(sequence)) * shape.headSize();
                for (int head = 0; head < shape.heads() + shape.kvHeads(); head++) {
                    int first = row * shape.qkvSize() + head * shape.headSize();
                    for (int i = 0; i < half; i++) {
                        double cosine = table.doubles().get(angles + i);
                        double sine = table.doubles().get(angles + half + i) * (inverse ? -1 : 1);
                        rotate(qkv.doubles(), first + i, first + half + i, cosine, sine);
                    }
                }
            }
        }
    }

    private static void rotate(DoubleBuffer values, int first, int second, double cosine, double sine) {
        double x = values.get(first);
        double y = values.get(second);
        values.put(first, x * cosine - y * sine);
        values.put(second, y * cosine + x * sine);
    }

    static void attention(AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp) {
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            int start = batch.sequenceStart(sequence);
            for (int head = 0; head < shape.heads(); head++) {
                Head on = new Head(shape, head, start, qkv.doubles());
                for (int row = start; row < batch.sequenceEnd(sequence); row++) {
                    double sum = on.logSumExp(row);
                    logSumExp.doubles().put(row * shape.heads() + head, sum);
                    on.mix(row, sum, y.doubles());
                }
            }
        }
    }

    static void backward(
            AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp, Tensor dY, Tensor dQkv) {
        for (int i = 0; i < batch.rows() * shape.qkvSize(); i++) {
            dQkv.doubles().put(i, 0);
        }
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            int start = batch.sequenceStart(sequence);
            for (int head = 0; head < shape.heads(); head++) {
                Head on = new Head(shape, head, start, qkv.doubles());
                for (int row = start; row < batch.sequenceEnd(sequence); row++) {
                    double sum = logSumExp.doubles().get(row * shape.heads() + head);
                    on.backward(row, sum, y.doubles(), dY.doubles(), dQkv.doubles());
                }
            }
        }
    }

    /** One query head on one sequence. */
    private record Head(AttentionShape shape, int head, int start, DoubleBuffer qkv) {

        int queryAt(int row) {
            return row * shape.qkvSize() + head * shape.headSize();
        }

        int keyAt(int row) {
            int kvHead = head / (shape.heads() / shape.kvHeads());
            return row * shape.qkvSize() + (shape.heads() + kvHead) * shape.headSize();
        }

        int valueAt(int row) {
            return keyAt(row) + shape.kvHeads() * shape.headSize();
        }

        int outputAt(int row) {
            return row * shape.outputSize() + head * shape.headSize();
        }

        double score(int row, int key) {
            return dot(qkv, queryAt(row), qkv, keyAt(key)) / Math.sqrt(shape.headSize());
        }

        double logSumExp(int row) {
            double max = Double.NEGATIVE_INFINITY;
            for (int key = start; key <= row; key++) {
                max = Math.max(max, score(row, key));
            }
            double sum = 0;
            for (int key = start; key <= row; key++) {
                sum += Math.exp(score(row, key) - max);
            }
            return max + Math.log(sum);
        }

        void mix(int row, double logSumExp, DoubleBuffer y) {
            for (int i = 0; i < shape.headSize(); i++) {
                y.put(outputAt(row) + i, 0);
            }
            for (int key = start; key <= row; key++) {
                addScaled(y, outputAt(row), Math.exp(score(row, key) - logSumExp), qkv, valueAt(key));
            }
        }

        /** With p the probabilities and dP = dY V^T: dS = p (dP - dY y), to which scores' gradients follow. */
        void backward(int row, double logSumExp, DoubleBuffer y, DoubleBuffer dY, DoubleBuffer dQkv) {
            double mean = dot(dY, outputAt(row), y, outputAt(row));
            for (int key = start; key <= row; key++) {
                double probability = Math.exp(score(row, key) - logSumExp);
                double dScore =
                        probability * (dot(dY, outputAt(row), qkv, valueAt(key)) - mean) / Math.sqrt(shape.headSize());
                addScaled(dQkv, queryAt(row), dScore, qkv, keyAt(key));
                addScaled(dQkv, keyAt(key), dScore, qkv, queryAt(row));
                addScaled(dQkv, valueAt(key), probability, dY, outputAt(row));
            }
        }

        private double dot(DoubleBuffer left, int leftAt, DoubleBuffer right, int rightAt) {
            double sum = 0;
            for (int i = 0; i < shape.headSize(); i++) {
                sum += left.get(leftAt + i) * right.get(rightAt + i);
            }
            return sum;
        }

        private void addScaled(DoubleBuffer to, int toAt, double factor, DoubleBuffer from, int fromAt) {
            for (int i = 0; i < shape.headSize(); i++) {
                to.put(toAt + i, to.get(toAt + i) + factor * from.get(fromAt + i));
            }
        }
    }
}
