package io.plora.cost;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.primitives.ImmutableDoubleArray;
import io.plora.model.ModelFormatException;
import io.plora.model.StrictJson;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.DoubleSummaryStatistics;
import java.util.List;

/**
 * Corrections of a {@link PartedTime} by measured iterations: a factor for each part of the time and a constant, none
 * negative. Few rows are safe: what they do not tell stays as it was predicted. The iterations of one group hardly tell one part
 * from another, so that those of other groups are predicted as well as the {@link PartedTime} knows the parts' proportions. A
 * sum of parts by factors that are not negative, and the larger of two such sums, keep what lower bounds rely on (see {@link
 * GroupTime}) wherever each part has it.
 *
 * @param factors of the parts, in the order of {@link IterationParts}
 * @param fixedSeconds added to every iteration
 * @param rows how many iterations it was fitted to
 * @param heldOutError mean of |predicted / measured - 1| over the rows, each predicted by a fit to the others
 * @param worstHeldOutError the largest of these
 */
public record Calibration(
        ImmutableDoubleArray factors, double fixedSeconds, int rows, double heldOutError, double worstHeldOutError) {

    public Calibration {
        if (factors.length() != IterationParts.COUNT) {
            throw new IllegalArgumentException("A calibration has (%d) factors, one for each of %s, not (%d)."
                    .formatted(IterationParts.COUNT, IterationParts.names(), factors.length()));
        }
        boolean possible = isPossible(fixedSeconds) && factors.stream().allMatch(Calibration::isPossible);
        if (!possible || fixedSeconds == 0 && factors.stream().sum() == 0) {
            throw new IllegalArgumentException(
                    "Factors %s of a calibration and its constant (%s s) must be zero or positive, at least one of them positive. Maybe calibrate again."
                            .formatted(factors, fixedSeconds));
        }
    }

    private static boolean isPossible(double value) {
        return value >= 0 && Double.isFinite(value);
    }

    /**
     * Fits to measured iterations, by relative errors; single ones that something else delayed count little.
     *
     * @param rows at least one
     * @param prior predicts the iterations of the measured model and device
     * @throws IllegalArgumentException if there are no rows
     */
    public static Calibration fit(List<MeasuredIteration> rows, PartedTime prior) {
        if (rows.isEmpty()) {
            throw new IllegalArgumentException(
                    "A calibration needs at least one measured iteration. Maybe use the time model as it is.");
        }
        CalibrationFit fit = CalibrationFit.of(rows, prior);
        DoubleSummaryStatistics heldOut = Arrays.stream(fit.heldOutErrors()).summaryStatistics();
        return new Calibration(fit.factors(), fit.fixedSeconds(), rows.size(), heldOut.getAverage(), heldOut.getMax());
    }

    /** The corrected time. */
    public EngineTime apply(PartedTime prior) {
        return new CalibratedTime(prior, this);
    }

    double seconds(IterationParts parts) {
        double device = factors.get(0) * parts.products()
                + factors.get(1) * parts.attention()
                + factors.get(2) * parts.pointwise()
                + factors.get(3) * parts.lowRank()
                + factors.get(4) * parts.loss()
                + factors.get(5) * parts.optimizer()
                + factors.get(6) * parts.communication()
                + factors.get(7) * parts.launches();
        return fixedSeconds + Math.max(device, factors.get(8) * parts.host());
    }

    /** Writes JSON; {@link #load} reads it. */
    public void save(Path file) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ObjectNode parts = json.putObject("factors");
        for (int i = 0; i < IterationParts.COUNT; i++) {
            parts.put(IterationParts.names().get(i), factors.get(i));
        }
        json.put("fixedSeconds", fixedSeconds);
        json.put("rows", rows);
        json.put("heldOutError", heldOutError);
        json.put("worstHeldOutError", worstHeldOutError);
        StrictJson.writeObject(file, json);
    }

    /**
     * Reads what {@link #save} wrote.
     *
     * @throws ModelFormatException naming the file and the field, if it is missing or malformed
     */
    public static Calibration load(Path file) {
        ObjectNode json = StrictJson.readObject(file);
        ImmutableDoubleArray.Builder factors = ImmutableDoubleArray.builder();
        for (String part : IterationParts.names()) {
            factors.add(number(file, json.path("factors"), part));
        }
        return new Calibration(
                factors.build(),
                number(file, json, "fixedSeconds"),
                (int) number(file, json, "rows"),
                number(file, json, "heldOutError"),
                number(file, json, "worstHeldOutError"));
    }

    private static double number(Path file, JsonNode parent, String name) {
        JsonNode value = parent.path(name);
        if (!value.isNumber() || value.doubleValue() < 0) {
            throw new ModelFormatException(
                    file, "%s (%s) must be a number, zero or positive. Maybe calibrate again.".formatted(name, value));
        }
        return value.doubleValue();
    }
}
