package io.plora.cost;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.io.Resources;
import com.google.common.math.Quantiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * Time model and calibrations by what an H100 measured: ten iterations each of 14 random groups of three models, by which some
 * constants were chosen.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MeasuredGroupsTest {
    private static final double ACCURATE = 0.1;

    private final Map<String, List<List<MeasuredIteration>>> groups = new TreeMap<>(); // by model

    @BeforeAll
    void read() throws IOException {
        List<String> lines = Resources.readLines(
                Resources.getResource(MeasuredGroupsTest.class, "iterations-h100.csv"), StandardCharsets.UTF_8);
        for (String line : lines) {
            if (line.startsWith("#")) {
                continue;
            }
            String[] fields = line.split(",");
            double[] work = IntStream.range(3, fields.length)
                    .mapToDouble(i -> Double.parseDouble(fields[i]))
                    .toArray();
            List<List<MeasuredIteration>> ofModel = groups.computeIfAbsent(fields[0], model -> new ArrayList<>());
            if (Integer.parseInt(fields[1]) == ofModel.size()) {
                ofModel.add(new ArrayList<>());
            }
            ofModel.get(ofModel.size() - 1)
                    .add(new MeasuredIteration(GroupWork.fromArray(work), 1, Double.parseDouble(fields[2]) / 1e3));
        }
    }

    private static PartedTime prior(String model) {
        return new RooflineTime(ModelShapes.of(model), DeviceSpec.H100_80GB);
    }

    /** By how much the median iteration differs from what is predicted of it. */
    private static double error(GroupTime time, List<MeasuredIteration> group) {
        double[] factors = group.stream()
                .mapToDouble(one -> one.seconds() / time.seconds(one.work(), 1))
                .toArray();
        return Math.abs(1 / Quantiles.median().compute(factors) - 1);
    }

    private static long accurate(List<Double> errors) {
        return errors.stream().filter(error -> error <= ACCURATE).count();
    }

    @Test
    void thirtyNineOfFortyTwoGroupsArePredictedWithinATenthWithoutACalibration() {
        List<Double> errors = new ArrayList<>();
        groups.forEach((model, ofModel) -> ofModel.forEach(group -> errors.add(error(prior(model), group))));

        assertThat(errors).hasSize(42);
        assertThat(accurate(errors)).isGreaterThanOrEqualTo(39);
    }

    @Test
    void oneGroupPredictsMostOthersWithinATenth() {
        List<Double> errors = new ArrayList<>();
        groups.forEach((model, ofModel) -> ofModel.forEach(group -> {
            EngineTime time = Calibration.fit(group, prior(model)).apply(prior(model));
            ofModel.stream().filter(other -> other != group).forEach(other -> errors.add(error(time, other)));
        }));

        assertThat(errors).hasSize(546);
        assertThat(accurate(errors)).isGreaterThanOrEqualTo(495);
        assertThat(Quantiles.median().compute(errors)).isLessThan(0.05);
    }

    @Test
    void allOthersPredictThirtyEightWithinATenth() {
        List<Double> errors = new ArrayList<>();
        groups.forEach((model, ofModel) -> ofModel.forEach(group -> {
            List<MeasuredIteration> others = ofModel.stream()
                    .filter(other -> other != group)
                    .flatMap(List::stream)
                    .toList();
            errors.add(error(Calibration.fit(others, prior(model)).apply(prior(model)), group));
        }));

        assertThat(accurate(errors)).isGreaterThanOrEqualTo(38);
    }
}
