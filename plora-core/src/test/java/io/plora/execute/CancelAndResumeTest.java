package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.plora.LoraSweep;
import io.plora.StepEvent;
import io.plora.SweepHandle;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.SweepStart;
import io.plora.Trial;
import io.plora.plan.OneByOne;
import io.plora.report.TrialFiles;
import io.plora.space.LoraConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CancelAndResumeTest {
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

    private LoraSweep.Builder sweep(Path output) {
        return sweep(output, device());
    }

    private static LoraSweep.Builder sweep(Path output, ComputeDevice device) {
        return TinySweeps.sweep(output).withDevice(device);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 9})
    void aSweepCancelledByAListenerGoesOnWhereItWas(int steps) {
        SweepResult whole = sweep(folder.resolve("whole")).build().run();
        Path output = folder.resolve("resumed");
        SweepResult cut = cancelAfter(steps, sweep(output));
        assertThat(cut.ranking()).extracting(Trial::status).contains(Trial.Status.CANCELLED);
        SweepResult resumed = sweep(output).build().run();

        requireEnded(resumed);
        for (LoraConfig config : TinySweeps.CONFIGS) {
            assertThat(TinySweeps.relativeError(TinySweeps.last(resumed, config), TinySweeps.last(whole, config)))
                    .as(config.id())
                    .isLessThan(tolerance());
            requireSameCounts(TinySweeps.trial(resumed, config), TinySweeps.trial(whole, config));
        }
        assertThat(resumed.seconds()).isGreaterThan(cut.seconds());
    }

    @Test
    void oneByOneAResumedSweepHasTheSameBits() {
        SweepResult whole = oneByOne("whole").build().run();
        cancelAfter(5, oneByOne("resumed"));
        cancelAfter(4, oneByOne("resumed"));
        SweepResult resumed = oneByOne("resumed").build().run();

        for (LoraConfig config : TinySweeps.CONFIGS) {
            assertThat(TinySweeps.last(resumed, config)).as(config.id()).isEqualTo(TinySweeps.last(whole, config));
            assertThat(TinySweeps.trial(resumed, config).last())
                    .isEqualTo(TinySweeps.trial(whole, config).last());
            requireSameCounts(TinySweeps.trial(resumed, config), TinySweeps.trial(whole, config));
        }
    }

    private LoraSweep.Builder oneByOne(String name) {
        return oneByOne(name, device());
    }

    private LoraSweep.Builder oneByOne(String name, ComputeDevice device) {
        return sweep(folder.resolve(name), device).withPolicy(new OneByOne());
    }

    @Test
    void configurationsAddedLaterAreTrainedAndOldOnesAreNotAgain() {
        List<LoraConfig> two = TinySweeps.CONFIGS.subList(0, 2);
        SweepResult first =
                TinySweeps.sweep(folder, two).withDevice(device()).build().run();
        List<LoraConfig> started = new ArrayList<>();
        SweepResult all = sweep(folder)
                .withListener(new SweepListener() {
                    @Override
                    public void sweepStarted(SweepStart start) {
                        started.addAll(start.configs());
                    }
                })
                .build()
                .run();

        assertThat(started).containsExactlyElementsOf(TinySweeps.CONFIGS.subList(2, 4));
        requireEnded(all);
        assertThat(TinySweeps.trial(all, two.get(0))).isEqualTo(TinySweeps.trial(first, two.get(0)));
        assertThat(folder.resolve("journal-2.jsonl")).exists();
    }

    @Test
    void aCrashLeavesEndedTrialsOnRecordAndTheRestToBeResumed() {
        SweepResult whole = oneByOne("whole").build().run();
        AtomicInteger steps = new AtomicInteger();
        TestDevice failing = TestDevice.around(device(), (call, method, arguments) -> {
            if (method.getName().equals("optimize") && steps.incrementAndGet() == 24) {
                throw new IllegalStateException("The device caught fire.");
            }
            return call.proceed();
        });
        List<Throwable> heard = new ArrayList<>();
        LoraSweep dying = oneByOne("crashed", failing)
                .withCheckpointInterval(Duration.ZERO)
                .withListener(new SweepListener() {
                    @Override
                    public void sweepFailed(Throwable cause) {
                        heard.add(cause);
                    }
                })
                .build();

        assertThatThrownBy(dying::run).hasMessage("The device caught fire.");
        assertThat(heard).hasSize(1);
        Path output = folder.resolve("crashed");
        // the first takes 20 steps, the second 8
        assertThat(TrialFiles.read(output))
                .extracting(Trial::id)
                .containsExactly(TinySweeps.CONFIGS.get(0).id());
        assertThat(output.resolve("trials")
                        .resolve(TinySweeps.CONFIGS.get(1).id())
                        .resolve("running/adapter/adapter_model.safetensors"))
                .exists();
        SweepResult resumed = oneByOne("crashed").build().run();
        for (LoraConfig config : TinySweeps.CONFIGS) {
            assertThat(TinySweeps.last(resumed, config)).as(config.id()).isEqualTo(TinySweeps.last(whole, config));
            requireSameCounts(TinySweeps.trial(resumed, config), TinySweeps.trial(whole, config));
        }
    }

    @Test
    void whenADeviceFailsTheOthersEndWhatTheyDoAndSaveIt() {
        CountDownLatch failed = new CountDownLatch(1);
        TestDevice failing = TestDevice.around(device(), (call, method, arguments) -> {
            if (method.getName().equals("optimize")) {
                failed.countDown();
                throw new IllegalStateException("The device caught fire.");
            }
            return call.proceed();
        });
        TestDevice waiting = TestDevice.around(device(), (call, method, arguments) -> {
            if (method.getName().equals("optimize")) {
                failed.await();
            }
            return call.proceed();
        });
        LoraSweep sweep = oneByOne("crashed", failing).withDevice(waiting).build();

        assertThatThrownBy(sweep::run).hasMessage("The device caught fire.");
        assertThat(folder.resolve("crashed/trials")
                        .resolve(TinySweeps.CONFIGS.get(1).id())
                        .resolve("running"))
                .exists();
        requireEnded(oneByOne("crashed").build().run());
    }

    @Test
    void anInterruptOfTheThreadThatRunsASweepCancelsIt() {
        Thread caller = Thread.currentThread();
        SweepResult result = sweep(folder)
                .withListener(afterSteps(2, caller::interrupt))
                .build()
                .run();

        assertThat(Thread.interrupted()).isTrue();
        assertThat(result.ranking()).extracting(Trial::status).contains(Trial.Status.CANCELLED);
        requireEnded(sweep(folder).build().run());
    }

    @Test
    void aHandleTellsHowTheSweepStands() throws Exception {
        CountDownLatch stepping = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        LoraSweep sweep = sweep(folder)
                .withListener(afterSteps(1, () -> {
                    stepping.countDown();
                    goOn.await();
                }))
                .build();
        try (SweepHandle handle = sweep.start()) {
            stepping.await();
            assertThat(handle.isDone()).isFalse();
            handle.cancel();
            goOn.countDown();
            SweepResult result = handle.await();
            assertThat(handle.isDone()).isTrue();
            assertThat(result.ranking()).extracting(Trial::status).containsOnly(Trial.Status.CANCELLED);
            assertThat(handle.toFuture().join()).isSameAs(result);
        }
    }

    @Test
    void aSweepCancelledBeforeItStartedTrainsNothing() {
        SweepHandle handle = sweep(folder).build().start();
        handle.close();

        SweepResult result = handle.await();
        assertThat(result.ranking()).extracting(Trial::status).containsOnly(Trial.Status.CANCELLED);
        assertThatThrownBy(result::best).hasMessageContaining("None of the (4) trials finished");
    }

    @Test
    void theOutputFolderMayMoveBetweenTwoRuns() throws Exception {
        cancelAfter(12, sweep(folder.resolve("here")));
        Path moved = Files.move(folder.resolve("here"), folder.resolve("there"));
        SweepResult result = sweep(moved).build().run();

        requireEnded(result);
        assertThat(result.ranking())
                .allSatisfy(
                        trial -> assertThat(trial.adapter()).startsWith(moved).exists());
    }

    private static void requireEnded(SweepResult result) {
        assertThat(result.ranking()).hasSize(TinySweeps.CONFIGS.size());
        assertThat(result.ranking()).extracting(Trial::status).containsOnly(Trial.Status.FINISHED);
    }

    private static void requireSameCounts(Trial actual, Trial expected) {
        assertThat(actual.steps()).isEqualTo(expected.steps());
        assertThat(actual.tokens()).isEqualTo(expected.tokens());
        assertThat(actual.trainingLoss()).isCloseTo(expected.trainingLoss(), within(1e-3));
    }

    private static SweepResult cancelAfter(int steps, LoraSweep.Builder sweep) {
        AtomicReference<SweepHandle> handle = new AtomicReference<>();
        CountDownLatch known = new CountDownLatch(1);
        LoraSweep built = sweep.withListener(afterSteps(steps, () -> {
                    known.await();
                    handle.get().cancel();
                }))
                .build();
        handle.set(built.start());
        known.countDown();
        return handle.get().await();
    }

    private interface Action {
        void run() throws InterruptedException;
    }

    private static SweepListener afterSteps(int steps, Action action) {
        return new SweepListener() {
            private int heard;

            @Override
            public void stepCompleted(StepEvent event) {
                heard++;
                if (heard == steps) {
                    try {
                        action.run();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                }
            }
        };
    }
}
