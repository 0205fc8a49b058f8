package io.plora.adapter;

import io.plora.kernels.DType;
import io.plora.kernels.Values;
import io.plora.model.FloatFormat;
import io.plora.model.Safetensors;
import io.plora.model.TensorData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.util.stream.IntStream;

/**
 * W + s B A in the type of W, a few rows at a time.
 *
 * @param file where W is
 * @param name of W
 * @param scale s
 */
record MergedWeight(Safetensors file, String name, LoraMatrices matrices, double scale) implements TensorData {

    /** Bytes of W merged at a time. */
    private static final int CHUNK_BYTES = 1 << 22;

    @Override
    public void writeTo(WritableByteChannel channel) throws IOException {
        DType type = file.info(name).type();
        int rowBytes = matrices.inputs() * type.bytes();
        int chunkRows = Math.min(matrices.outputs(), Math.max(1, CHUNK_BYTES / rowBytes));
        ByteBuffer merged = ByteBuffer.allocateDirect(chunkRows * rowBytes).order(ByteOrder.LITTLE_ENDIAN);
        for (int first = 0; first < matrices.outputs(); first += chunkRows) {
            int rows = Math.min(chunkRows, matrices.outputs() - first);
            int firstRow = first;
            ByteBuffer weights = file.bytes(name, (long) firstRow * rowBytes, rows * rowBytes);
            IntStream.range(0, rows).parallel().forEach(row -> mergeRow(type, weights, merged, row, firstRow + row));
            TensorData.writeFully(merged.clear().limit(rows * rowBytes), channel);
        }
    }

    /**
     * @param row in {@code weights} and {@code merged}
     * @param matrixRow the same row in W
     */
    private void mergeRow(DType type, ByteBuffer weights, ByteBuffer merged, int row, int matrixRow) {
        int inputs = matrices.inputs();
        double[] product = product(matrixRow);
        for (int column = 0; column < inputs; column++) {
            int element = row * inputs + column;
            double value = Values.value(weights, type, element) + scale * product[column];
            FloatFormat.put(type, merged, element, (float) value);
            if (!Float.isFinite(Values.value(merged, type, element))) {
                throw new IllegalArgumentException(
                        "Element [%d, %d] of the merged (%s) is not finite in %s (%s). Maybe the adapter diverged."
                                .formatted(matrixRow, column, name, type, value));
            }
        }
    }

    /** A row of B A. */
    private double[] product(int row) {
        double[] product = new double[matrices.inputs()];
        for (int k = 0; k < matrices.rank(); k++) {
            double b = matrices.b()[row * matrices.rank() + k];
            int offset = k * product.length;
            for (int column = 0; column < product.length; column++) {
                product[column] += b * matrices.a()[offset + column];
            }
        }
        return product;
    }
}
