package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.common.primitives.ImmutableDoubleArray;
import io.plora.LoraSweep;
import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.cost.Calibration;
import io.plora.execute.JournalEntry.Calibrated;
import io.plora.plan.SweepPlan;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What iterations of a sweep take is known afterwards, and used where it is asked for. */
class CalibratedSweepTest {
    private static final Calibration TWICE =
            new Calibration(ImmutableDoubleArray.of(2, 2, 2, 2, 2, 2, 2, 2, 2), 0, 30, 0.1, 0.2);

    @TempDir
    private Path folder;

    /** Where the sweeps of these tests run. */
    ComputeDevice device() {
        return ComputeDevice.cpu();
    }

    /** Largest relative error of parameters that were trained in other company. */
    double tolerance() {
        return 1e-4;
    }

    /** Of 40 iterations or more. */
    private LoraSweep.Builder sweep(String name) {
        return TinySweeps.anySweep(folder.resolve(name))
                .withDevice(device())
                .withEpochs(2)
                .withTrainingData(TinySweeps.samples(1, 40))
                .withValidationData(TinySweeps.samples(2, 4))
                .withSpace(SearchSpace.of(TinySweeps.CONFIGS));
    }

    private Path calibrationOf(String name) {
        return folder.resolve(name).resolve("calibration.json");
    }

    private List<Calibrated> journaled(String name) {
        return Journal.read(folder.resolve(name).resolve("journal-1.jsonl")).entries().stream()
                .filter(Calibrated.class::isInstance)
                .map(Calibrated.class::cast)
                .toList();
    }

    @Test
    void sweepLeavesItsCalibrationForTheNextPlan() {
        sweep("first").build().run();
        Calibration measured = Calibration.load(calibrationOf("first"));

        SweepPlan plan = sweep("second").withCalibration(measured).build().plan();

        assertThat(measured.rows()).isGreaterThanOrEqualTo(MeasuredIterations.FEWEST);
        assertThat(measured.heldOutError()).isPositive();
        assertThat(plan.makespan())
                .isNotEqualTo(sweep("second").build().plan().makespan())
                .isGreaterThanOrEqualTo(plan.bound().seconds() * (1 - 1e-6));
    }

    @Test
    void planGoesByTheCalibration() {
        double nominal = sweep("sweep").build().plan().makespan();

        assertThat(sweep("sweep").withCalibration(TWICE).build().plan().makespan())
                .isCloseTo(2 * nominal, within(1e-6 * nominal));
    }

    @Test
    void runGoesByTheCalibrationAndJournalsIt() {
        sweep("sweep").withCalibration(TWICE).build().run();

        assertThat(journaled("sweep"))
                .containsExactly(new Calibrated(TWICE.factors().asList(), 0, TWICE.rows()));
    }

    @Test
    void policyDoesNotGoByMeasuredTimesUnlessAsked() {
        sweep("sweep").build().run();

        assertThat(journaled("sweep")).isEmpty();
    }

    @Test
    void sweepByMeasuredTimesTrainsTheSameAndReplaysToTheBit() {
        SweepResult measured = sweep("measured").withMeasuredTimes().build().run();
        SweepResult nominal = sweep("nominal").build().run();
        SweepResult replayed = sweep("replayed")
                .withPolicy(new ReplayPolicy(Journal.read(folder.resolve("measured/journal-1.jsonl"))))
                .build()
                .run();

        assertThat(journaled("measured")).isNotEmpty();
        for (LoraConfig config : TinySweeps.CONFIGS) {
            float[] last = TinySweeps.last(measured, config);
            assertThat(TinySweeps.relativeError(TinySweeps.last(nominal, config), last))
                    .as(config.id())
                    .isLessThan(tolerance());
            assertThat(TinySweeps.last(replayed, config)).as(config.id()).isEqualTo(last);
        }
    }

    @Test
    void timeLeftIsKnownOnceIterationsAreMeasured() {
        List<Double> left = new ArrayList<>();
        sweep("sweep")
                .withListener(new SweepListener() {
                    @Override
                    public void stepCompleted(StepEvent event) {
                        left.add(event.secondsLeft());
                    }
                })
                .build()
                .run();

        int known = MeasuredIterations.LEFT_OUT + MeasuredIterations.FEWEST - 1;
        assertThat(left.subList(0, known)).containsOnly(Double.NaN);
        assertThat(left.get(known)).isPositive();
        assertThat(left.subList(known, left.size()))
                .allSatisfy(seconds -> assertThat(seconds).isNotNegative());
    }

    @Test
    void calibrationIsGivenOnce() {
        LoraSweep.Builder sweep = sweep("sweep").withCalibration(TWICE);

        assertThatThrownBy(() -> sweep.withCalibration(TWICE))
                .hasMessageContaining("withCalibration was called before");
    }
}
