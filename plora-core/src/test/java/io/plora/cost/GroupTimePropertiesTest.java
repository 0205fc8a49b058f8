package io.plora.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.primitives.ImmutableDoubleArray;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What lower bounds of plans rely on ({@link GroupTime}), by random works: of every time model, and whatever is measured. */
class GroupTimePropertiesTest {
    private static final int WORKS = 300;
    private static final double ROUNDING = 1e-9;

    static Stream<Arguments> times() {
        List<Arguments> times = new ArrayList<>();
        for (ActivationPolicy policy : ActivationPolicy.values()) {
            for (WeightFormat format : WeightFormat.values()) {
                times.add(time("roofline, %s, %s".formatted(policy, format), roofline("Qwen2.5-7B", format, policy)));
            }
        }
        RooflineTime small = roofline("Qwen2.5-0.5B", WeightFormat.PLAIN, ActivationPolicy.KEEP_ALL);
        times.add(time("one after the other", new SequentialTime(small)));
        times.add(time("PEFT", new PeftTime(small)));
        for (ActivationPolicy policy : ActivationPolicy.values()) {
            times.add(time("nominal, " + policy, new NominalTime(ModelShapes.of("Qwen2.5-0.5B"), policy)));
        }
        Random random = new Random(1);
        for (int i = 0; i < 8; i++) {
            times.add(time("any factors " + i, randomCalibration(random).apply(small)));
            times.add(time(
                    "fitted to anything " + i,
                    Calibration.fit(anyRows(random), small).apply(small)));
        }
        return times.stream();
    }

    private static Arguments time(String name, GroupTime time) {
        return Arguments.of(name, time);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("times")
    void timeIsNeverBelowItsBound(String name, GroupTime time) {
        Random random = new Random(5);
        for (int i = 0; i < WORKS; i++) {
            GroupWork work = work(random);
            int degree = 1 << random.nextInt(4);

            assertThat(time.seconds(work, degree))
                    .isGreaterThanOrEqualTo(time.bound().seconds(work, degree));
        }
    }

    private static RooflineTime roofline(String model, WeightFormat format, ActivationPolicy policy) {
        return new RooflineTime(ModelShapes.of(model), DeviceSpec.A100_40GB, format, policy);
    }

    /** From 0, which leaves a part out, to 100 times what was predicted. */
    private static Calibration randomCalibration(Random random) {
        double[] factors = random.doubles(IterationParts.COUNT, -2, 2)
                .map(exponent -> random.nextInt(4) == 0 ? 0 : Math.pow(10, exponent))
                .toArray();
        return new Calibration(ImmutableDoubleArray.copyOf(factors), random.nextDouble(), 1, 0, 0);
    }

    /** Seconds that have nothing to do with the work. */
    private static List<MeasuredIteration> anyRows(Random random) {
        List<MeasuredIteration> rows = new ArrayList<>();
        for (int i = 0; i < 15; i++) {
            rows.add(new MeasuredIteration(
                    work(random), 1 << random.nextInt(4), Math.exp(2 * random.nextGaussian()) / 100));
        }
        return rows;
    }

    /** An iteration of some adapters. */
    private static GroupWork work(Random random) {
        ModelConfig model = ModelShapes.of("Qwen2.5-0.5B");
        GroupWork work = GroupWork.NONE;
        for (int adapters = 1 + random.nextInt(20); adapters > 0; adapters--) {
            LoraConfig config =
                    LoraConfig.builder().withRank(1 + random.nextInt(128)).build();
            int length = 1 + random.nextInt(1024);
            int samples = 1 + random.nextInt(8);
            work = work.plus(GroupWork.of(
                    MemoryModel.adapterParameters(model, config),
                    samples * length,
                    samples,
                    samples * length * (length + 1) / 2.0,
                    random.nextInt(2)));
        }
        return work;
    }

    /** More of some kinds of work. */
    private static GroupWork some(Random random) {
        double[] kinds = work(random).toArray();
        return GroupWork.fromArray(Arrays.stream(kinds)
                .map(kind -> random.nextBoolean() ? kind : 0)
                .toArray());
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("times")
    void moreWorkNeverTakesLess(String name, GroupTime any) {
        GroupTime time = any.bound();
        Random random = new Random(2);
        for (int i = 0; i < WORKS; i++) {
            GroupWork work = work(random);
            int degree = 1 << random.nextInt(4);
            double seconds = time.seconds(work, degree);

            assertThat(time.seconds(work.plus(some(random)), degree)).isGreaterThanOrEqualTo(seconds * (1 - ROUNDING));
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("times")
    void timeIsConvex(String name, GroupTime any) {
        GroupTime time = any.bound();
        Random random = new Random(3);
        for (int i = 0; i < WORKS; i++) {
            GroupWork one = work(random);
            GroupWork other = random.nextBoolean() ? work(random) : one.plus(some(random));
            int degree = 1 << random.nextInt(4);
            double part = random.nextDouble();
            double chord = part * time.seconds(one, degree) + (1 - part) * time.seconds(other, degree);

            assertThat(time.seconds(one.times(part).plus(other.times(1 - part)), degree))
                    .isLessThanOrEqualTo(chord * (1 + ROUNDING));
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("times")
    void timesTheWorkTakesAtMostAsManyTimesAsLong(String name, GroupTime any) {
        GroupTime time = any.bound();
        Random random = new Random(4);
        for (int i = 0; i < WORKS; i++) {
            GroupWork work = work(random);
            int degree = 1 << random.nextInt(4);
            double times = 1 + 10 * random.nextDouble();

            assertThat(time.seconds(work.times(times), degree))
                    .isLessThanOrEqualTo(times * time.seconds(work, degree) * (1 + ROUNDING));
        }
    }

    @Test
    void calibrationThatWouldBreakThemIsRefused() {
        double[] factors = {1, 1, 1, 1, 1, 1, 1, 1, 1};
        assertThatThrownBy(() -> calibration(factors, -0.001)).hasMessageContaining("(-0.001 s)");
        assertThatThrownBy(() -> calibration(factors, Double.NaN)).hasMessageContaining("(NaN s)");
        assertThatThrownBy(() -> calibration(new double[IterationParts.COUNT], 0))
                .hasMessageContaining("at least one of them positive");
        factors[3] = -1;
        assertThatThrownBy(() -> calibration(factors, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("-1.0");
    }

    private static Calibration calibration(double[] factors, double fixedSeconds) {
        return new Calibration(ImmutableDoubleArray.copyOf(factors), fixedSeconds, 1, 0, 0);
    }
}
