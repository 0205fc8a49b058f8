package io.plora.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.plora.adapter.LoraMatrices;
import io.plora.adapter.ModuleKey;
import io.plora.data.Sample;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.DoubleSupplier;
import org.junit.jupiter.api.Test;

class ParityCaseTest {

    private static final int RANK = 4;
    private static final Set<TargetModule> TARGETS = EnumSet.of(TargetModule.Q_PROJ, TargetModule.DOWN_PROJ);

    private final Random random = new Random(5);
    private final SortedMap<ModuleKey, LoraMatrices> initial = modules(random::nextGaussian);
    private final SortedMap<ModuleKey, LoraMatrices> gradient = modules(random::nextGaussian);
    private final SortedMap<ModuleKey, LoraMatrices> trained = plus(initial, 0.01);
    private final ParityCase parity = new ParityCase(
            "case",
            "model",
            LoraConfig.builder().withRank(RANK).withTargetModules(TARGETS).build(),
            0,
            List.of(List.of(new Sample(new int[] {1, 2}, new boolean[] {false, true}))),
            List.of(new ParityStep(2.5, norm(gradient), 1e-3, ParityNumbers.project(LoraVectors.flat(gradient)))),
            initial,
            gradient,
            trained,
            new ParityLogits(new float[] {1, 2, 3, 4}, new float[] {5, 6, 7, 8}, new float[] {1, 3, 6, 8}, 2));

    @Test
    void equalValuesHaveNoError() {
        assertThat(parity.lossError(0, 2.5)).isZero();
        assertThat(parity.gradientError(0, gradient)).isZero();
        assertThat(parity.firstGradientError(gradient)).isZero();
        assertThat(parity.movementErrorOfA(trained)).isZero();
        assertThat(parity.movementErrorOfB(trained)).isZero();
        assertThat(parity.logits().error(new float[] {1, 2, 3, 4, 5, 6, 7, 8})).isZero();
    }

    @Test
    void projectionsEstimateTheErrorOfAGradient() {
        for (double size : new double[] {1e-6, 1e-3, 1}) {
            SortedMap<ModuleKey, LoraMatrices> other = modules(random::nextGaussian);
            other.forEach((module, matrices) -> {
                blend(matrices.a(), gradient.get(module).a(), size);
                blend(matrices.b(), gradient.get(module).b(), size);
            });
            double exact = parity.firstGradientError(other);
            assertThat(exact).isEqualTo(size, within(size / 5));
            assertThat(parity.gradientError(0, other)).isEqualTo(exact, within(exact / 3));
        }
    }

    @Test
    void aWrongScaleOfTheGradientIsSeen() {
        SortedMap<ModuleKey, LoraMatrices> doubled = modules(() -> 0);
        doubled.forEach((module, matrices) -> {
            scaled(gradient.get(module).a(), 2, matrices.a());
            scaled(gradient.get(module).b(), 2, matrices.b());
        });
        assertThat(parity.firstGradientError(doubled)).isEqualTo(1, within(1e-6));
        assertThat(parity.gradientError(0, doubled)).isGreaterThan(0.7);
    }

    @Test
    void movementIsComparedWithWhatPeftMoved() {
        assertThat(parity.movementErrorOfA(initial)).isEqualTo(1, within(1e-6));
        assertThat(parity.movementErrorOfB(plus(initial, 0.02))).isEqualTo(1, within(1e-3));
        assertThat(parity.movementErrorOfA(plus(initial, 0.0101))).isEqualTo(0.01, within(1e-3));
    }

    @Test
    void notANumberIsNeverSmall() {
        gradient.get(gradient.firstKey()).a()[0] = Float.NaN;
        assertThat(parity.gradientError(0, gradient)).isNaN();
        assertThat(parity.lossError(0, Double.NaN)).isNaN();
        assertThat(parity.logits().error(new float[] {1, Float.NaN, 3, 4, 5, 6, 7, 8}))
                .isNaN();
    }

    @Test
    void logitsAreComparedAtTheSampledColumnsOfEveryRow() {
        ParityLogits logits = new ParityLogits(
                new float[] {1, 2, 3, 4}, new float[] {9, 10, 11, 12}, new float[] {1, 3, 6, 8, 9, 11}, 2);
        assertThat(logits.error(new float[] {1, 2, 3, 4, 99, 6, 99, 8, 9, 10, 11, 12}))
                .isZero();
        assertThat(logits.error(new float[] {1, 2, 3, 4, 5, 6.5f, 7, 8, 9, 10, 11, 12}))
                .isEqualTo(0.5);
        assertThat(logits.error(new float[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14}))
                .isEqualTo(2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> logits.error(new float[8]))
                .withMessageContaining("(3, 4)");
    }

    @Test
    void otherModulesAreNotCompared() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parity.movementErrorOfA(new TreeMap<>()))
                .withMessageContaining("Modules");
    }

    @Test
    void startsFromTheInitialMatrices() {
        assertThat(parity.initialAdapter().modules()).isEqualTo(initial);
    }

    private static SortedMap<ModuleKey, LoraMatrices> modules(DoubleSupplier value) {
        SortedMap<ModuleKey, LoraMatrices> modules = new TreeMap<>();
        for (int layer = 0; layer < 2; layer++) {
            for (TargetModule target : TARGETS) {
                modules.put(
                        new ModuleKey(layer, target),
                        new LoraMatrices(RANK, 24, 16, values(RANK * 24, value), values(16 * RANK, value)));
            }
        }
        return modules;
    }

    private static float[] values(int size, DoubleSupplier value) {
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) value.getAsDouble();
        }
        return values;
    }

    private static SortedMap<ModuleKey, LoraMatrices> plus(SortedMap<ModuleKey, LoraMatrices> modules, double added) {
        SortedMap<ModuleKey, LoraMatrices> sums = modules(() -> added);
        sums.forEach((module, matrices) -> {
            blend(matrices.a(), modules.get(module).a(), 1);
            blend(matrices.b(), modules.get(module).b(), 1);
        });
        return sums;
    }

    /** values = size * values + others. */
    private static void blend(float[] values, float[] others, double size) {
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (size * values[i] + others[i]);
        }
    }

    private static void scaled(float[] values, float factor, float[] result) {
        for (int i = 0; i < values.length; i++) {
            result[i] = factor * values[i];
        }
    }

    private static double norm(SortedMap<ModuleKey, LoraMatrices> modules) {
        double sum = 0;
        for (float value : LoraVectors.flat(modules)) {
            sum += (double) value * value;
        }
        return Math.sqrt(sum);
    }
}
