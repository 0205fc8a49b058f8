package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.FailureEvent;
import io.plora.LoraSweep;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.kernels.Kernels;
import io.plora.kernels.OptimizerStep;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import io.plora.plan.OneByOne;
import io.plora.plan.PackingPolicy;
import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FailureIsolationTest {
    /** The kernels tell it by its weight decay. */
    private static final LoraConfig VICTIM =
            TinySweeps.config(8, 3).withWeightDecay(0.01).build();

    private static final List<LoraConfig> CONFIGS =
            List.of(TinySweeps.CONFIGS.get(0), VICTIM, TinySweeps.CONFIGS.get(2), TinySweeps.CONFIGS.get(3));

    @TempDir
    private Path folder;

    /** Where the sweeps of these tests run. */
    ComputeDevice device() {
        return ComputeDevice.cpu(2, 1L << 32);
    }

    /** Largest relative error of parameters that were trained in other company. */
    double tolerance() {
        return 1e-4;
    }

    private LoraSweep.Builder sweep(String name, List<LoraConfig> configs) {
        return TinySweeps.sweep(folder.resolve(name), configs);
    }

    @Test
    void aConfigurationThatDivergesFailsAlone() {
        LoraConfig wild = TinySweeps.config(8, 1)
                .withLearningRate(1e30)
                .withMaxGradientNorm(0)
                .build();
        List<LoraConfig> configs = new ArrayList<>(CONFIGS);
        configs.add(wild);
        List<FailureEvent> failures = new ArrayList<>();
        SweepResult with = sweep("with", configs)
                .withDevice(device())
                .withListener(failuresTo(failures))
                .build()
                .run();

        assertThat(with.failures()).extracting(Trial::config).containsExactly(wild);
        Trial failed = with.failures().get(0);
        assertThat(failed.failure()).contains("optimizer step (", "learning rate (1.0E30)");
        assertThat(failures).hasSize(1);
        assertThat(failures.get(0).trialId()).isEqualTo(wild.id());
        assertThat(failures.get(0).step()).isEqualTo(failed.steps() + 1);
        assertThat(failures.get(0).message())
                .isEqualTo(failed.failure())
                .contains("optimizer step (%d)".formatted(failures.get(0).step()));
        requireOthersAreAsWithoutFailure(with, CONFIGS);
    }

    @Test
    void aPoisonedGradientFailsItsOwnTrialAndLeavesTheBitsOfTheOthers() {
        SweepResult poisoned = sweep("poisoned", new OneByOne(), poisonThirdStepOfVictim());

        Trial failed = TinySweeps.trial(poisoned, VICTIM);
        assertThat(failed.status()).isEqualTo(Trial.Status.FAILED);
        assertThat(failed.steps()).isEqualTo(2);
        assertThat(failed.failure()).startsWith("The gradient norm is (NaN) at optimizer step (3).");
        assertThat(folder.resolve("poisoned/trials").resolve(VICTIM.id())).doesNotExist();
        SweepResult whole = sweep("whole", new OneByOne(), device());
        others().forEach(config -> assertThat(TinySweeps.last(poisoned, config))
                .as(config.id())
                .isEqualTo(TinySweeps.last(whole, config)));
    }

    @Test
    void aPoisonedGradientInAPackLeavesTheOthersAsTheyAreAlone() {
        SweepResult poisoned = sweep("poisoned", CONFIGS)
                .withDevice(poisonThirdStepOfVictim())
                .build()
                .run();

        assertThat(poisoned.failures()).extracting(Trial::config).containsExactly(VICTIM);
        requireOthersAreAsWithoutFailure(poisoned, others());
    }

    @Test
    void aLossThatIsNoNumberInTheMiddleOfABatchEndsTheTrialAtOnce() {
        AtomicInteger passes = new AtomicInteger();
        // the first pass takes a part of the batch only, as the token budget is that of a sample
        TestDevice device = TestDevice.around(device(), (call, method, arguments) -> {
            Object result = call.proceed();
            if (method.getName().equals("crossEntropy") && passes.incrementAndGet() == 2) {
                PackedBatch batch = (PackedBatch) arguments[2];
                Tensor losses = (Tensor) arguments[3];
                call.kernels()
                        .write(losses.rows(batch.rows() - 1, batch.rows()), new float[] {Float.POSITIVE_INFINITY});
            }
            return result;
        });
        SweepResult result = sweep("wide", List.of(TinySweeps.config(4, 10).build()))
                .withDevice(device)
                .build()
                .run();

        Trial failed = result.failures().get(0);
        assertThat(failed.steps()).isZero();
        assertThat(failed.failure()).startsWith("The loss is (Infinity) at optimizer step (1).");
        assertThat(passes).hasValue(2);
    }

    @Test
    void whereAllTrialsFailTheResultTellsWhy() {
        TestDevice device = TestDevice.around(device(), (call, method, arguments) -> {
            if (method.getName().equals("optimize")) {
                ((List<?>) arguments[0]).forEach(step -> poison(call.kernels(), (OptimizerStep) step));
            }
            return call.proceed();
        });
        SweepResult result =
                sweep("failing", CONFIGS).withDevice(device).build().run();

        assertThat(result.failures()).hasSize(4);
        assertThatThrownBy(result::best)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("None of the (4) trials finished")
                .hasMessageContaining(VICTIM.id() + ": The gradient norm is (NaN) at optimizer step (1)");
    }

    @Test
    void memoryThatAnotherProcessHasTakenMakesPassesSmaller() {
        AtomicInteger mostRows = new AtomicInteger();
        AtomicInteger refused = new AtomicInteger();
        AtomicBoolean loaded = new AtomicBoolean();
        TestDevice device = TestDevice.around(device(), (call, method, arguments) -> {
            boolean ofActivations = loaded.get()
                    && method.getName().equals("allocate")
                    && ((long[]) arguments[1]).length == 2
                    && ((long[]) arguments[1])[0] > 30;
            if (ofActivations) {
                refused.incrementAndGet();
                throw new OutOfMemoryError("Another process has it.");
            }
            loaded.compareAndSet(false, method.getName().equals("refresh")); // an adapter's values follow the weights
            if (method.getName().equals("embed")) {
                mostRows.accumulateAndGet(((PackedBatch) arguments[1]).rows(), Math::max);
            }
            return call.proceed();
        });
        SweepResult result = sweep("short", CONFIGS).withDevice(device).build().run();

        assertThat(refused).hasPositiveValue();
        assertThat(mostRows.get()).isBetween(1, 30);
        assertThat(result.failures()).isEmpty();
        requireOthersAreAsWithoutFailure(result, CONFIGS);
    }

    @Test
    void anAdapterThatFindsMemoryInPiecesJoinsAllTheSame() {
        AtomicInteger adapters = new AtomicInteger();
        AtomicInteger refused = new AtomicInteger();
        TestDevice device = TestDevice.around(device(), (call, method, arguments) -> {
            boolean isRefused = method.getName().equals("allocate")
                    && ((long[]) arguments[1]).length == 1
                    && adapters.get() == 2
                    && refused.get() < 2;
            if (isRefused) {
                refused.incrementAndGet();
                throw new OutOfMemoryError("There are only small pieces.");
            }
            if (method.getName().equals("refresh")) { // an adapter is complete
                adapters.incrementAndGet();
            }
            return call.proceed();
        });
        SweepResult result = sweep("pieces", CONFIGS).withDevice(device).build().run();

        assertThat(refused).hasValue(2);
        assertThat(adapters.get()).isGreaterThanOrEqualTo(CONFIGS.size() + 2); // two have moved
        assertThat(result.failures()).isEmpty();
        requireOthersAreAsWithoutFailure(result, CONFIGS);
    }

    private static List<LoraConfig> others() {
        return CONFIGS.stream().filter(config -> config != VICTIM).toList();
    }

    private SweepResult sweep(String name, PackingPolicy policy, ComputeDevice device) {
        return sweep(name, CONFIGS)
                .withPolicy(policy)
                .withDevice(device)
                .build()
                .run();
    }

    private void requireOthersAreAsWithoutFailure(SweepResult result, List<LoraConfig> others) {
        SweepResult without =
                sweep("without", others).withDevice(device()).build().run();
        for (LoraConfig config : others) {
            assertThat(TinySweeps.relativeError(TinySweeps.last(result, config), TinySweeps.last(without, config)))
                    .as(config.id())
                    .isLessThan(tolerance());
        }
    }

    private TestDevice poisonThirdStepOfVictim() {
        return TestDevice.around(device(), (call, method, arguments) -> {
            if (method.getName().equals("optimize")) {
                for (Object argument : (List<?>) arguments[0]) {
                    OptimizerStep step = (OptimizerStep) argument;
                    if (step.step() == 3 && step.weightDecay() == VICTIM.weightDecay()) {
                        poison(call.kernels(), step);
                    }
                }
            }
            return call.proceed();
        });
    }

    private static void poison(Kernels kernels, OptimizerStep step) {
        float[] gradients = kernels.floats(step.adapter().gradients());
        gradients[7] = Float.NaN;
        kernels.write(step.adapter().gradients(), gradients);
    }

    private static SweepListener failuresTo(List<FailureEvent> failures) {
        return new SweepListener() {
            @Override
            public void trialFailed(FailureEvent event) {
                failures.add(event);
            }
        };
    }
}
