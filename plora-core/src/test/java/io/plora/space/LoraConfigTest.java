package io.plora.space;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.plora.kernels.OptimizerStep;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class LoraConfigTest {
    private static final LoraConfig DEFAULT = LoraConfig.builder().build();

    private static final LoraConfig EVERYTHING_SET = LoraConfig.builder()
            .withRank(8)
            .withAlpha(12.5)
            .withLearningRate(2e-5)
            .withBatchSize(4)
            .withDropout(0.1)
            .withTargetModules(EnumSet.of(TargetModule.V_PROJ, TargetModule.Q_PROJ))
            .withWeightDecay(0.01)
            .withWarmupRatio(0.03)
            .withSchedule(Schedule.COSINE)
            .withRankStabilized(true)
            .withLoraPlusRatio(16)
            .withMaxGradientNorm(0)
            .withOptimizer(OptimizerStep.Rule.SGD)
            .withSeed(7)
            .build();

    /** Folders of sweeps and random numbers hang on these: change them only with a note in the change log. */
    @Test
    void idsAndKeysAreThoseOfEarlierReleases() {
        assertThat(DEFAULT.id()).isEqualTo("r16-a32-lr0.0002-b1-1aaf0a69");
        assertThat(DEFAULT.key()).isEqualTo(-1849797560281420006L);
        assertThat(EVERYTHING_SET.id()).isEqualTo("r8-a12.5-lr2e-05-b4-5c2d0c07");
        assertThat(EVERYTHING_SET.key()).isEqualTo(4286615899714891100L);
    }

    @ParameterizedTest
    @MethodSource("singleChanges")
    void idChangesWithEveryField(Consumer<LoraConfig.Builder> change) {
        LoraConfig.Builder builder = DEFAULT.toBuilder();
        change.accept(builder);

        assertThat(builder.build().id()).isNotEqualTo(DEFAULT.id());
        assertThat(builder.build().key()).isNotEqualTo(DEFAULT.key());
    }

    static Stream<Consumer<LoraConfig.Builder>> singleChanges() {
        return Stream.of(
                builder -> builder.withRank(32),
                builder -> builder.withAlpha(32.000001),
                builder -> builder.withLearningRate(2.000001e-4),
                builder -> builder.withBatchSize(2),
                builder -> builder.withDropout(0.05),
                builder -> builder.withTargetModules(Set.of(TargetModule.Q_PROJ)),
                builder -> builder.withWeightDecay(0.01),
                builder -> builder.withWarmupRatio(0.1),
                builder -> builder.withSchedule(Schedule.LINEAR),
                builder -> builder.withRankStabilized(true),
                builder -> builder.withLoraPlusRatio(4),
                builder -> builder.withMaxGradientNorm(0.5),
                builder -> builder.withOptimizer(OptimizerStep.Rule.SGD),
                builder -> builder.withSeed(1));
    }

    @Test
    void idDoesNotDependOnTheOrderOfTargetModules() {
        LoraConfig one = DEFAULT.toBuilder()
                .withTargetModules(List.of(TargetModule.Q_PROJ, TargetModule.V_PROJ))
                .build();
        LoraConfig other = DEFAULT.toBuilder()
                .withTargetModules(List.of(TargetModule.V_PROJ, TargetModule.Q_PROJ))
                .build();

        assertThat(one).isEqualTo(other);
        assertThat(one.id()).isEqualTo(other.id());
    }

    @Test
    void idDoesNotDependOnTheLanguageOfTheMachine() {
        String id = EVERYTHING_SET.id();
        Locale locale = Locale.getDefault();
        try {
            Locale.setDefault(Locale.forLanguageTag("ar-EG"));
            assertThat(EVERYTHING_SET.id()).isEqualTo(id);
        } finally {
            Locale.setDefault(locale);
        }
    }

    @Test
    void idIsAFolderName() {
        LoraConfig extreme = DEFAULT.toBuilder()
                .withAlpha(1.5e12)
                .withLearningRate(1.23456e-7)
                .build();

        assertThat(extreme.id()).matches("r16-a1\\.5e\\+12-lr1\\.235e-07-b1-[0-9a-f]{8}");
    }

    @Test
    void builderOfAConfigurationRebuildsIt() {
        assertThat(EVERYTHING_SET.toBuilder().build()).isEqualTo(EVERYTHING_SET);
    }

    @Test
    void scaleDividesByTheRankOrItsRoot() {
        LoraConfig.Builder builder = LoraConfig.builder().withRank(16).withAlpha(32);

        assertThat(builder.build().scale()).isEqualTo(2);
        assertThat(builder.withRankStabilized(true).build().scale()).isCloseTo(8, within(1e-12));
    }

    @ParameterizedTest
    @MethodSource("badValues")
    void badValueIsNamedInTheMessage(Consumer<LoraConfig.Builder> change, String message) {
        LoraConfig.Builder builder = LoraConfig.builder();
        change.accept(builder);

        assertThatThrownBy(builder::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("LoRA configuration: " + message);
    }

    static Stream<Arguments> badValues() {
        return Stream.of(
                bad(builder -> builder.withRank(0), "rank (0) must be from 1 to 256."),
                bad(builder -> builder.withRank(257), "rank (257) must be from 1 to 256."),
                bad(builder -> builder.withAlpha(0), "alpha (0.0) must be positive."),
                bad(builder -> builder.withAlpha(Double.NaN), "alpha (NaN) must be positive."),
                bad(builder -> builder.withLearningRate(-1e-4), "learningRate (-1.0E-4) must be zero or positive."),
                bad(
                        builder -> builder.withLearningRate(Double.POSITIVE_INFINITY),
                        "learningRate (Infinity) must be zero or positive."),
                bad(builder -> builder.withBatchSize(0), "batchSize (0) must be at least 1."),
                bad(builder -> builder.withDropout(1), "dropout (1.0) must be at least 0 and below 1."),
                bad(builder -> builder.withTargetModules(Set.of()), "targetModules ([]) must be at least one module."),
                bad(builder -> builder.withWeightDecay(-1), "weightDecay (-1.0) must be zero or positive."),
                bad(builder -> builder.withWarmupRatio(1.5), "warmupRatio (1.5) must be from 0 to 1."),
                bad(builder -> builder.withLoraPlusRatio(0), "loraPlusRatio (0.0) must be positive."),
                bad(
                        builder -> builder.withMaxGradientNorm(-1),
                        "maxGradientNorm (-1.0) must be zero (no clipping) or positive."));
    }

    private static Arguments bad(Consumer<LoraConfig.Builder> change, String message) {
        return Arguments.of(change, message);
    }
}
