package io.plora.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.common.primitives.ImmutableDoubleArray;
import io.plora.model.ModelFormatException;
import io.plora.space.LoraConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CalibrationTest {
    private static final RooflineTime PRIOR = new RooflineTime(ModelShapes.of("Qwen2.5-3B"), DeviceSpec.A100_40GB);
    /** A machine with slow low-rank kernels, a slow optimizer and 2 ms that nobody predicted. */
    private static final Calibration TRUTH =
            new Calibration(ImmutableDoubleArray.of(1.2, 1.5, 1.1, 3, 0.9, 2, 1.4, 0.5, 1.3), 0.002, 1, 0, 0);

    private static GroupWork randomWork(Random random) {
        GroupWork work = GroupWork.NONE;
        int adapters = 1 + random.nextInt(32);
        for (int i = 0; i < adapters; i++) {
            LoraConfig config =
                    LoraConfig.builder().withRank(8 << random.nextInt(5)).build();
            int length = 16 + random.nextInt(500);
            int samples = 1 + random.nextInt(4);
            work = work.plus(GroupWork.of(
                    MemoryModel.adapterParameters(PRIOR.model(), config),
                    samples * length,
                    samples,
                    samples * length * (length + 1) / 2.0,
                    random.nextInt(2)));
        }
        return work;
    }

    private static List<MeasuredIteration> rows(int count, double noise, Random random) {
        List<MeasuredIteration> rows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            GroupWork work = randomWork(random);
            int degree = 1 << random.nextInt(3);
            double seconds = TRUTH.apply(PRIOR).seconds(work, degree) * (1 + noise * random.nextGaussian());
            rows.add(new MeasuredIteration(work, degree, seconds));
        }
        return rows;
    }

    private static double error(Calibration calibration, List<MeasuredIteration> rows) {
        EngineTime time = calibration.apply(PRIOR);
        return rows.stream()
                .mapToDouble(row -> Math.abs(time.seconds(row.work(), row.degree()) / row.seconds() - 1))
                .average()
                .orElseThrow();
    }

    @Test
    void manyExactRowsAreFittedToTwoPerCent() {
        Random random = new Random(1);

        Calibration fitted = Calibration.fit(rows(100, 0, random), PRIOR);

        assertThat(error(fitted, rows(100, 0, random))).isLessThan(0.02);
        assertThat(fitted.heldOutError()).isLessThan(0.02);
        assertThat(fitted.rows()).isEqualTo(100);
    }

    @Test
    void iterationsThatSomethingElseDelayedSpoilNothing() {
        for (int seed = 0; seed < 5; seed++) {
            Random random = new Random(seed);
            List<MeasuredIteration> rows = rows(60, 0.02, random);
            for (int i = 0; i < 6; i++) {
                MeasuredIteration row = rows.get(10 * i);
                rows.set(10 * i, new MeasuredIteration(row.work(), row.degree(), 4 * row.seconds()));
            }

            assertThat(error(Calibration.fit(rows, PRIOR), rows(200, 0, random)))
                    .isLessThan(0.03);
        }
    }

    /** Ten iterations of a group on the predicted device, whose machine takes 1.2 times as long for all. */
    private static List<MeasuredIteration> rowsOfOneGroup(RooflineTime prior, int adapters, Random random) {
        List<MeasuredIteration> rows = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            GroupWork work = GroupWork.NONE;
            for (int adapter = 0; adapter < adapters; adapter++) {
                int length = 50 + random.nextInt(100);
                work = work.plus(GroupWork.of(1_000_000, length, 1, length * (length + 1) / 2.0, i % 2));
            }
            double seconds = 1.2 * prior.seconds(work, 1) * (1 + 0.03 * random.nextGaussian());
            rows.add(new MeasuredIteration(work, 1, seconds));
        }
        return rows;
    }

    @Test
    void oneGroupKeepsTheProportionsOfTheParts() {
        for (int seed = 0; seed < 20; seed++) {
            Random random = new Random(seed);
            Calibration fitted = Calibration.fit(rowsOfOneGroup(PRIOR, 16, random), PRIOR);

            for (int i = 0; i < 20; i++) {
                GroupWork other = randomWork(random);
                assertThat(fitted.apply(PRIOR).seconds(other, 1) / PRIOR.seconds(other, 1))
                        .isBetween(1.12, 1.28);
            }
        }
    }

    @Test
    void delaysOfMostIterationsSpoilNothing() {
        for (int seed = 0; seed < 20; seed++) {
            Random random = new Random(seed);
            List<MeasuredIteration> rows = rowsOfOneGroup(PRIOR, 16, random);
            for (int i = 0; i < 6; i++) {
                MeasuredIteration row = rows.get(i);
                double delayed = (1.4 + 2 * random.nextDouble()) * row.seconds();
                rows.set(i, new MeasuredIteration(row.work(), row.degree(), delayed));
            }

            Calibration fitted = Calibration.fit(rows, PRIOR);

            GroupWork other = randomWork(random);
            assertThat(fitted.apply(PRIOR).seconds(other, 1) / PRIOR.seconds(other, 1))
                    .isBetween(1.1, 1.35);
        }
    }

    @Test
    void iterationsThatWaitForTheHostSayNothingOfTheDevice() {
        RooflineTime small = new RooflineTime(ModelShapes.of("Qwen2.5-0.5B"), DeviceSpec.H100_80GB);
        Random random = new Random(8);
        List<MeasuredIteration> rows = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            GroupWork work = GroupWork.of(1_000_000, 200 + random.nextInt(50), 20, 2000, 1);
            rows.add(new MeasuredIteration(work, 1, 1.5 * small.parts(work, 1).host()));
        }

        Calibration fitted = Calibration.fit(rows, small);

        GroupWork few = GroupWork.of(1_000_000, 300, 20, 3000, 1);
        GroupWork many = GroupWork.of(1_000_000, 4000, 40, 100_000, 1);
        assertThat(fitted.apply(small).seconds(few, 1) / small.seconds(few, 1)).isCloseTo(1.5, within(0.05));
        assertThat(fitted.apply(small).seconds(many, 1) / small.seconds(many, 1))
                .isCloseTo(1, within(0.05));
    }

    @Test
    void heldOutErrorIsTheErrorOnNewRows() {
        for (int seed = 0; seed < 5; seed++) {
            Random random = new Random(seed);

            Calibration fitted = Calibration.fit(rows(60, 0.05, random), PRIOR);

            // mean of |noise| of 5%: 4%
            double truth = error(fitted, rows(2000, 0.05, random));
            assertThat(truth).isBetween(0.035, 0.05);
            assertThat(fitted.heldOutError()).isCloseTo(truth, within(0.01));
            assertThat(fitted.worstHeldOutError()).isBetween(fitted.heldOutError(), 0.3);
        }
    }

    @Test
    void aFewRowsHelpAndNeverHurt() {
        Calibration none = new Calibration(ImmutableDoubleArray.of(1, 1, 1, 1, 1, 1, 1, 1, 1), 0, 1, 0, 0);
        for (int seed = 0; seed < 20; seed++) {
            Random random = new Random(seed);
            Calibration fitted = Calibration.fit(rows(3, 0.03, random), PRIOR);
            List<MeasuredIteration> fresh = rows(200, 0, random);

            assertThat(error(fitted, fresh)).isLessThan(0.7 * error(none, fresh));
        }
    }

    @Test
    void rowsThatSayTheSameAsThePriorChangeNothing() {
        Random random = new Random(3);
        List<MeasuredIteration> rows = rows(10, 0, random).stream()
                .map(row -> new MeasuredIteration(row.work(), row.degree(), PRIOR.seconds(row.work(), row.degree())))
                .toList();

        Calibration fitted = Calibration.fit(rows, PRIOR);

        assertThat(fitted.factors().asList())
                .allSatisfy(factor -> assertThat(factor).isCloseTo(1, within(1e-9)));
        assertThat(fitted.fixedSeconds()).isCloseTo(0, within(1e-9));
        assertThat(fitted.heldOutError()).isCloseTo(0, within(1e-9));
    }

    @Test
    void factorsAreNeverNegative() {
        // the more work, the faster: nothing sensible fits
        Random random = new Random(4);
        List<MeasuredIteration> rows = rows(20, 0, random).stream()
                .map(row -> new MeasuredIteration(row.work(), row.degree(), 0.01 / row.seconds()))
                .toList();

        Calibration fitted = Calibration.fit(rows, PRIOR);

        assertThat(fitted.factors().asList())
                .allSatisfy(factor -> assertThat(factor).isNotNegative());
        assertThat(fitted.heldOutError()).isGreaterThan(0.1);
    }

    @Test
    void oneRowIsHeldOutAgainstThePrior() {
        List<MeasuredIteration> row = rows(1, 0, new Random(5));

        Calibration fitted = Calibration.fit(row, PRIOR);

        double prior = PRIOR.seconds(row.get(0).work(), row.get(0).degree());
        assertThat(fitted.heldOutError()).isCloseTo(1 - prior / row.get(0).seconds(), within(1e-9));
        assertThat(error(fitted, row)).isLessThan(0.1);
    }

    /** Ten alike iterations, all of them slower than predicted by a factor: by which factor the fit then predicts them. */
    private static double fittedFactor(PartedTime prior, double factor) {
        GroupWork work = randomWork(new Random(8));
        List<MeasuredIteration> rows =
                Collections.nCopies(10, new MeasuredIteration(work, 1, factor * prior.seconds(work, 1)));
        return Calibration.fit(rows, prior).apply(prior).seconds(work, 1) / prior.seconds(work, 1);
    }

    @Test
    void aMachineThatWasMeasuredIsTrustedUnlessItIsFarFromIt() {
        PartedTime measured = new RooflineTime(PRIOR.model(), DeviceSpec.H100_80GB);

        assertThat(fittedFactor(measured, 1.06)).isBetween(1.02, 1.055);
        assertThat(fittedFactor(measured, 1.5)).isCloseTo(1.5, within(0.05));
        assertThat(fittedFactor(PRIOR, 1.06)).isCloseTo(1.06, within(0.005));
    }

    @Test
    void evaluationsAreCorrectedToo() {
        GroupWork work = randomWork(new Random(6));

        assertThat(TRUTH.apply(PRIOR).evaluationSeconds(work, 2))
                .isCloseTo(TRUTH.seconds(PRIOR.evaluationParts(work, 2)), within(1e-15))
                .isGreaterThan(PRIOR.evaluationSeconds(work, 2));
    }

    @Test
    void savedAndLoadedItIsTheSame(@TempDir Path folder) {
        Calibration fitted = Calibration.fit(rows(5, 0.05, new Random(7)), PRIOR);
        Path file = folder.resolve("calibration.json");

        fitted.save(file);

        assertThat(Calibration.load(file)).isEqualTo(fitted);
        assertThat(file).content().contains("\"lowRank\"", "\"heldOutError\"");
    }

    @Test
    void malformedFilesAreRefusedByFieldAndPath(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("calibration.json");
        TRUTH.save(file);
        Files.writeString(file, Files.readString(file).replace("\"optimizer\" : 2.0", "\"optimizer\" : \"fast\""));

        assertThatThrownBy(() -> Calibration.load(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(file.toString())
                .hasMessageContainingAll("optimizer", "fast");
        Files.writeString(file, "{}");
        assertThatThrownBy(() -> Calibration.load(file)).hasMessageContaining("products");
        assertThatThrownBy(() -> Calibration.load(folder.resolve("none.json")))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("none.json");
    }

    @Test
    void nothingMeasuredIsRefused() {
        assertThatThrownBy(() -> Calibration.fit(List.of(), PRIOR)).hasMessageContaining("at least one");
        assertThatThrownBy(() -> new MeasuredIteration(GroupWork.NONE, 1, 0)).hasMessageContaining("(0.0)");
        assertThatThrownBy(() -> new Calibration(ImmutableDoubleArray.of(1), 0, 1, 0, 0))
                .hasMessageContaining("(1)");
    }
}
