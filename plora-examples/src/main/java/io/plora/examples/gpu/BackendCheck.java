package io.plora.examples.gpu;

import io.plora.examples.CommandLines;
import java.lang.management.ManagementFactory;
import java.util.Random;
import java.util.concurrent.Callable;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import picocli.CommandLine.Command;

/** Shows whether ND4J's backend comes up and computes: its name, a matrix product against plain loops, and the time since start. */
@Command(
        name = "BackendCheck",
        mixinStandardHelpOptions = true,
        description = "Starts ND4J's backend and checks a matrix product.")
public final class BackendCheck implements Callable<Integer> {
    private static final int ROWS = 64;
    private static final int INNER = 96;
    private static final int COLUMNS = 48;
    private static final double TOLERANCE = 1e-3; // of values up to some 10: leaves room for products in TF32

    public static void main(String[] arguments) {
        CommandLines.main(new BackendCheck(), arguments);
    }

    @Override
    public Integer call() {
        Random random = new Random(1);
        float[][] left = values(random, ROWS, INNER);
        float[][] right = values(random, INNER, COLUMNS);
        double difference;
        double sum;
        try (INDArray a = Nd4j.createFromArray(left);
                INDArray b = Nd4j.createFromArray(right);
                INDArray product = a.mmul(b)) {
            difference = largestDifference(
                    left, right, product.castTo(DataType.FLOAT).toFloatMatrix());
            sum = Math.abs(product.sumNumber().doubleValue() - sum(product.toFloatMatrix()));
        }
        System.out.printf(
                "%s (%s): product of %d x %d x %d within %.2g, sum within %.2g, %.1f s since the JVM's start%n",
                Nd4j.getExecutioner().getClass().getSimpleName(),
                Nd4j.getBackend().getClass().getSimpleName(),
                ROWS,
                INNER,
                COLUMNS,
                difference,
                sum,
                ManagementFactory.getRuntimeMXBean().getUptime() / 1e3);
        return difference < TOLERANCE && sum < TOLERANCE * ROWS ? 0 : 1;
    }

    private static float[][] values(Random random, int rows, int columns) {
        float[][] values = new float[rows][columns];
        for (float[] row : values) {
            for (int column = 0; column < columns; column++) {
                row[column] = (float) random.nextGaussian();
            }
        }
        return values;
    }

    private static double largestDifference(float[][] left, float[][] right, float[][] product) {
        double largest = 0;
        for (int row = 0; row < ROWS; row++) {
            for (int column = 0; column < COLUMNS; column++) {
                double exact = 0;
                for (int k = 0; k < INNER; k++) {
                    exact += (double) left[row][k] * right[k][column];
                }
                largest = Math.max(largest, Math.abs(exact - product[row][column]));
            }
        }
        return largest;
    }

    private static double sum(float[][] values) {
        double sum = 0;
        for (float[] row : values) {
            for (float value : row) {
                sum += value;
            }
        }
        return sum;
    }
}
