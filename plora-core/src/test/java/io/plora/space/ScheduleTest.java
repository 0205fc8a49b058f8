package io.plora.space;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ScheduleTest {

    /** Values of transformers' schedules of the same names, 10 warm-up steps of 110. */
    @ParameterizedTest
    @CsvSource({
        "CONSTANT, 10, 1",
        "CONSTANT, 109, 1",
        "LINEAR, 10, 1",
        "LINEAR, 60, 0.5",
        "LINEAR, 109, 0.01",
        "COSINE, 10, 1",
        "COSINE, 35, 0.8535533905932737",
        "COSINE, 60, 0.5",
        "COSINE, 110, 0"
    })
    void factorFollowsItsShape(Schedule schedule, long step, double expected) {
        assertThat(schedule.factor(step, 10, 110)).isCloseTo(expected, within(1e-12));
    }

    @ParameterizedTest
    @EnumSource
    void rateRisesInALineDuringWarmUp(Schedule schedule) {
        assertThat(schedule.factor(0, 10, 110)).isZero();
        assertThat(schedule.factor(5, 10, 110)).isEqualTo(0.5);
    }

    @ParameterizedTest
    @EnumSource
    void trainingWithoutWarmUpStartsAtThePeak(Schedule schedule) {
        assertThat(schedule.factor(0, 0, 100)).isEqualTo(1);
    }

    @Test
    void rateNeverFallsBelowZero() {
        assertThat(Schedule.LINEAR.factor(120, 0, 100)).isZero();
    }
}
