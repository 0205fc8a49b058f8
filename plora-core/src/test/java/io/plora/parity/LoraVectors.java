package io.plora.parity;

import io.plora.adapter.LoraMatrices;
import io.plora.adapter.ModuleKey;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;

/** A and B of all modules, or values of the same shapes such as their gradients, seen as vectors. */
final class LoraVectors {

    private LoraVectors() {}

    /** PEFT's name of A or B. */
    static String key(ModuleKey module, char matrix) {
        return "base_model.model.%s.lora_%s.weight".formatted(module.path(), matrix);
    }

    /** All values, in the order of PEFT keys. */
    static float[] flat(Map<ModuleKey, LoraMatrices> modules) {
        SortedMap<String, float[]> byKey = new TreeMap<>();
        modules.forEach((module, matrices) -> {
            byKey.put(key(module, 'A'), matrices.a());
            byKey.put(key(module, 'B'), matrices.b());
        });
        float[] all = new float
                [byKey.values().stream().mapToInt(values -> values.length).sum()];
        int position = 0;
        for (float[] values : byKey.values()) {
            System.arraycopy(values, 0, all, position, values.length);
            position += values.length;
        }
        return all;
    }

    /**
     * |values - expected| / |expected - origin| over one of the two matrices of all modules.
     *
     * @throws IllegalArgumentException if the modules are not the same
     */
    static double movementError(
            Map<ModuleKey, LoraMatrices> values,
            Map<ModuleKey, LoraMatrices> expected,
            Map<ModuleKey, LoraMatrices> origin,
            Function<LoraMatrices, float[]> matrix) {
        if (!values.keySet().equals(expected.keySet())) {
            throw new IllegalArgumentException(
                    "Modules (%s) are not those expected (%s).".formatted(values.keySet(), expected.keySet()));
        }
        double error = 0;
        double movement = 0;
        for (ModuleKey module : expected.keySet()) {
            float[] goal = matrix.apply(expected.get(module));
            error += squaredDistance(matrix.apply(values.get(module)), goal);
            movement += squaredDistance(goal, matrix.apply(origin.get(module)));
        }
        return Math.sqrt(error / movement);
    }

    /** |values - expected| / |expected|. */
    static double relativeError(float[] values, float[] expected) {
        return Math.sqrt(squaredDistance(values, expected) / squaredDistance(expected, new float[expected.length]));
    }

    private static double squaredDistance(float[] some, float[] others) {
        if (some.length != others.length) {
            throw new IllegalArgumentException("(%d) values, expected (%d).".formatted(some.length, others.length));
        }
        double sum = 0;
        for (int i = 0; i < some.length; i++) {
            double difference = (double) some[i] - others[i];
            sum += difference * difference;
        }
        return sum;
    }
}
