package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.Uninterruptibles;
import io.plora.LoraSweep;
import io.plora.StepEvent;
import io.plora.SweepHandle;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.adapter.PeftAdapter;
import io.plora.adapter.TrainingState;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import io.plora.train.Gpu;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A JVM that is told to end in the middle of a sweep saves it first. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "a process there cannot be asked to end")
class ShutdownTest {
    private static final String STEPPING = "stepping";
    private static final List<LoraConfig> CONFIGS = TinySweeps.CONFIGS.subList(0, 2);

    @TempDir
    private Path folder;

    @Test
    void savesWhatRunsAndGoesOnFromThere() throws IOException, InterruptedException {
        requireSavedAndResumed("CPU");
    }

    @Tag("gpu")
    @Test
    void savesWhatRunsOnAGpuAndGoesOnFromThere() throws IOException, InterruptedException {
        Gpu.assumeAvailable();
        requireSavedAndResumed("GPU");
    }

    private void requireSavedAndResumed(String device) throws IOException, InterruptedException {
        Path output = folder.resolve("sweep");
        interrupt(start(device, output));
        Map<String, Long> steps = new HashMap<>();
        for (LoraConfig config : CONFIGS) {
            Path saved = output.resolve("trials").resolve(config.id()).resolve("running/adapter");
            assertThat(PeftAdapter.load(saved).config()).isEqualTo(config);
            steps.put(config.id(), TrainingState.load(saved).optimizerSteps());
        }
        assertThat(steps.values()).allMatch(count -> count > 0);

        SweepResult resumed = resumedForAStep(device, output);
        assertThat(resumed.ranking())
                .allSatisfy(trial -> assertThat(trial.steps()).isGreaterThanOrEqualTo(steps.get(trial.id())))
                .anySatisfy(trial -> assertThat(trial.steps()).isGreaterThan(steps.get(trial.id())));
    }

    private static Process start(String device, Path output) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(option -> option.startsWith("-Dorg.bytedeco") // where native libraries are unpacked
                        || option.startsWith("-Xbootclasspath")) // what a small Java runtime lacks
                .forEach(command::add);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Child.class.getName()));
        command.addAll(List.of(device, output.toString()));
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    /** Ends the child in the middle of the sweep. */
    private static void interrupt(Process child) throws IOException, InterruptedException {
        try (BufferedReader lines = child.inputReader()) {
            assertThat(lines.lines().anyMatch(STEPPING::equals)).isTrue();
            new ProcessBuilder("kill", ignoresInterrupts() ? "-TERM" : "-INT", Long.toString(child.pid()))
                    .start()
                    .waitFor();
            assertThat(child.waitFor(1, TimeUnit.MINUTES)).isTrue();
        } finally {
            child.destroyForcibly();
        }
    }

    /** Whether Ctrl-C is ignored by this process and its children, as shells ask of what they start in the background. */
    private static boolean ignoresInterrupts() throws IOException {
        Path status = Path.of("/proc/self/status");
        int interrupt = 1 << 2 - 1; // of signal 2
        return Files.exists(status)
                && Files.readAllLines(status).stream()
                        .filter(line -> line.startsWith("SigIgn:"))
                        .anyMatch(line ->
                                (Long.parseUnsignedLong(line.substring(7).strip(), 16) & interrupt) != 0);
    }

    private static SweepResult resumedForAStep(String device, Path output) {
        AtomicReference<SweepHandle> handle = new AtomicReference<>();
        CountDownLatch known = new CountDownLatch(1);
        LoraSweep sweep = sweep(device, output, () -> {
            Uninterruptibles.awaitUninterruptibly(known);
            handle.get().cancel();
        });
        handle.set(sweep.start());
        known.countDown();
        return handle.get().await();
    }

    /** One that is never through. */
    private static LoraSweep sweep(String device, Path output, Runnable afterStep) {
        return TinySweeps.anySweep(output)
                .withDevice(device.equals("GPU") ? ComputeDevice.cuda(0, 1L << 30) : ComputeDevice.cpu())
                .withTrainingData(TinySweeps.samples(1, 10))
                .withValidationData(TinySweeps.samples(2, 1))
                .withSpace(SearchSpace.of(CONFIGS))
                .withEpochs(1_000_000)
                .withListener(new SweepListener() {
                    @Override
                    public void stepCompleted(StepEvent event) {
                        afterStep.run();
                    }
                })
                .build();
    }

    /** Stops after a few steps to be told to end. */
    static final class Child {
        private Child() {}

        public static void main(String[] arguments) {
            CountDownLatch ending = new CountDownLatch(1);
            Runtime.getRuntime().addShutdownHook(new Thread(ending::countDown));
            PrintStream out = System.out;
            AtomicInteger steps = new AtomicInteger();
            sweep(arguments[0], Path.of(arguments[1]), () -> {
                        if (steps.incrementAndGet() == 4) {
                            out.println(STEPPING);
                            Uninterruptibles.awaitUninterruptibly(ending);
                        }
                    })
                    .run();
        }
    }
}
