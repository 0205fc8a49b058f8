package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.primitives.ImmutableDoubleArray;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.Calibration;
import io.plora.cost.EngineTime;
import io.plora.cost.GroupWork;
import io.plora.cost.ModelShapes;
import io.plora.cost.NominalTime;
import io.plora.cost.PartedTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MeasuredIterationsTest {
    private static final PartedTime PRIOR = new NominalTime(ModelShapes.of("Qwen2.5-0.5B"), ActivationPolicy.KEEP_ALL);
    /** A machine that does products twice as fast and low-rank terms half as fast as predicted. */
    private static final EngineTime TRUTH =
            new Calibration(ImmutableDoubleArray.of(0.5, 1, 1, 2, 0.5, 1, 1, 0.5, 1), 0.01, 1, 0, 0).apply(PRIOR);

    private final MeasuredIterations measured = new MeasuredIterations(PRIOR, false);
    private final Random random = new Random(1);

    private GroupWork work() {
        GroupWork work = GroupWork.NONE;
        for (int adapters = 1 + random.nextInt(8); adapters > 0; adapters--) {
            int length = 10 + random.nextInt(200);
            work = work.plus(GroupWork.of(
                    100_000L << random.nextInt(6), length, 1, length * (length + 1) / 2.0, random.nextInt(2)));
        }
        return work;
    }

    private void iterate(int count) {
        for (int i = 0; i < count; i++) {
            GroupWork work = work();
            measured.add(0, work, TRUTH.seconds(work, 1));
        }
    }

    @Test
    void firstIterationsAreLeftOutAndFewTellNothing() {
        for (int i = 0; i < MeasuredIterations.LEFT_OUT; i++) {
            measured.add(0, work(), 1000);
        }
        iterate(MeasuredIterations.FEWEST - 1);
        assertThat(measured.fit()).isEmpty();
        assertThat(measured.fitIfDue()).isEmpty();

        iterate(1);

        assertThat(measured.fit()).isEqualTo(measured.fitIfDue()).isPresent();
        GroupWork work = work();
        double predicted = measured.fit().orElseThrow().apply(PRIOR).seconds(work, 1);
        assertThat(predicted / TRUTH.seconds(work, 1)).isBetween(0.8, 1.2);
    }

    @Test
    void calibrationIsFittedAnewWheneverIterationsHaveDoubled() {
        iterate(MeasuredIterations.LEFT_OUT);
        List<Integer> fitted = new ArrayList<>();
        for (int i = 1; i <= 100; i++) {
            iterate(1);
            int iterations = i;
            measured.fitIfDue().ifPresent(calibration -> fitted.add(iterations));
        }

        assertThat(fitted).containsExactly(10, 20, 40, 80);
    }

    /** Two groups take turns, their steps only in every third iteration. */
    private static double heldOutError(boolean stepsLater) {
        MeasuredIterations measured = new MeasuredIterations(PRIOR, stepsLater);
        double[] steppedBefore = new double[2];
        for (int i = 0; i < 80; i++) {
            int group = i % 2;
            GroupWork work = GroupWork.of(1_000_000_000L << group, 10 + group, 1, 60, i / 2 % 3 == 0 ? 1 : 0);
            GroupWork within = work.withSteppedParameters(steppedBefore[group]);
            measured.add(group, work, PRIOR.seconds(within, 1));
            steppedBefore[group] = work.steppedParameters();
        }
        return measured.fit().orElseThrow().heldOutError();
    }

    @Test
    void stepsOfAnIterationCountInTheNextOneOfItsGroupWhereTheyAreDoneLater() {
        assertThat(heldOutError(true)).isLessThan(1e-6);
        assertThat(heldOutError(false)).isGreaterThan(1e-3);
    }

    @Test
    void ofManyIterationsSomeAreKeptFromBeginningToEnd() {
        iterate(5_000);

        Calibration calibration = measured.fit().orElseThrow();

        assertThat(calibration.rows()).isBetween(50, 100);
        assertThat(calibration.heldOutError()).isLessThan(0.02);
    }
}
