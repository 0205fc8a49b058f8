package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** How far rows of the same case, from two systems, are from one another. */
final class QualityComparison {

    /**
     * How far losses may differ at any step, relative to the other's. PEFT's in bf16 are up to 2^-8 from its own in float32 on
     * these trainings, which is what rounding one number to bf16 changes it by; of two such systems each is allowed that.
     */
    static final double TOLERANCE = 0x1p-7;

    /** Losses of two configurations differ clearly if neither one's tolerance explains it, relative to the lower one. */
    static final double CLEAR = 2 * TOLERANCE;

    private QualityComparison() {}

    /**
     * A row with the differences.
     *
     * @throws IllegalArgumentException if the rows are not of the same training
     */
    static ObjectNode compare(JsonNode of, JsonNode from) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("bench", "quality");
        row.put("kind", of.path("kind").asText() + " difference");
        row.put("case", of.path("case").asText());
        row.put("of", of.path("system").asText());
        row.put("from", from.path("system").asText());
        row.put("device", of.path("device").asText());
        if (of.has("losses")) {
            compareLosses(of, from, row);
        } else {
            compareRankings(of, from, row);
        }
        return row;
    }

    private static void compareLosses(JsonNode of, JsonNode from, ObjectNode row) {
        int steps = of.path("losses").size();
        if (from.path("losses").size() != steps
                || !from.path("config").toString().equals(of.path("config").toString())) {
            throw other(of, from);
        }
        double largest = 0;
        double sum = 0;
        boolean met = true;
        for (int step = 0; step < steps; step++) {
            double loss = from.path("losses").path(step).asDouble();
            double difference = of.path("losses").path(step).asDouble() / loss - 1;
            largest = Math.max(largest, Math.abs(difference));
            sum += difference;
            met &= Math.abs(difference) <= TOLERANCE; // so not where it is NaN
        }
        row.put("steps", steps);
        row.put("largest", rounded(largest));
        row.put("mean", rounded(sum / steps));
        row.put("tolerance", TOLERANCE);
        row.put("met", met);
    }

    private static void compareRankings(JsonNode of, JsonNode from, ObjectNode row) {
        Map<String, Double> losses = losses(of);
        Map<String, Double> expected = losses(from);
        if (!losses.keySet().equals(expected.keySet())) {
            throw other(of, from);
        }
        List<String> ids = List.copyOf(expected.keySet());
        double largest = 0;
        int clear = 0;
        int inOrder = 0;
        for (int i = 0; i < ids.size(); i++) {
            largest = Math.max(largest, Math.abs(losses.get(ids.get(i)) / expected.get(ids.get(i)) - 1));
            for (int j = 0; j < i; j++) {
                double better = expected.get(ids.get(j));
                double worse = expected.get(ids.get(i));
                if (worse > better * (1 + CLEAR)) {
                    clear++;
                    inOrder += losses.get(ids.get(i)) > losses.get(ids.get(j)) ? 1 : 0;
                }
            }
        }
        row.put("configurations", ids.size());
        row.put("pairs", ids.size() * (ids.size() - 1) / 2);
        row.put("clear_pairs", clear);
        row.put("clear_pairs_in_order", inOrder);
        row.put("clear", CLEAR);
        row.put("largest", rounded(largest));
        row.put("best", of.path("trials").path(0).path("id").asText());
        row.put("best_from", from.path("trials").path(0).path("id").asText());
        row.put("met", inOrder == clear);
    }

    /** Validation losses by id, from best to worst. */
    private static Map<String, Double> losses(JsonNode row) {
        Map<String, Double> losses = new LinkedHashMap<>();
        row.path("trials")
                .forEach(trial -> losses.put(
                        trial.path("id").asText(), trial.path("validation_loss").asDouble()));
        return losses;
    }

    private static IllegalArgumentException other(JsonNode of, JsonNode from) {
        return new IllegalArgumentException(
                "Rows of (%s) from (%s) and (%s) are not of the same training. Maybe give both the same --steps and --samples."
                        .formatted(
                                of.path("case").asText(),
                                of.path("system").asText(),
                                from.path("system").asText()));
    }

    /** To six digits after the point; what is no number stays none. */
    static double rounded(double value) {
        return Double.isFinite(value) ? Math.round(value * 1e6) / 1e6 : value;
    }
}
