package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.adapter.PeftAdapter;
import io.plora.adapter.TrainingState;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
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
    void savesWhatRuns() throws IOException, InterruptedException {
        Path output = folder.resolve("sweep");
        Process child = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Child.class.getName(),
                        output.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader lines = child.inputReader()) {
            assertThat(lines.readLine()).isEqualTo(STEPPING);
            child.toHandle().destroy(); // SIGTERM
            assertThat(child.waitFor(1, TimeUnit.MINUTES)).isTrue();
        } finally {
            child.destroyForcibly();
        }
        for (LoraConfig config : CONFIGS) {
            Path saved = output.resolve("trials").resolve(config.id()).resolve("running/adapter");
            assertThat(PeftAdapter.load(saved).config()).isEqualTo(config);
            assertThat(TrainingState.load(saved).optimizerSteps()).isPositive();
        }
    }

    /** A sweep that is never through. */
    static final class Child {
        private Child() {}

        public static void main(String[] arguments) {
            CountDownLatch ending = new CountDownLatch(1);
            Runtime.getRuntime().addShutdownHook(new Thread(ending::countDown));
            PrintStream out = System.out;
            TinySweeps.anySweep(Path.of(arguments[0]))
                    .withTrainingData(TinySweeps.samples(1, 10))
                    .withValidationData(TinySweeps.samples(2, 1))
                    .withSpace(SearchSpace.of(CONFIGS))
                    .withEpochs(1_000_000)
                    .withListener(new SweepListener() {
                        private int steps;

                        @Override
                        public void stepCompleted(StepEvent event) {
                            steps++;
                            if (steps == 4) {
                                out.println(STEPPING);
                                await(ending);
                            }
                        }
                    })
                    .build()
                    .run();
        }

        private static void await(CountDownLatch latch) {
            try {
                latch.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
