package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.Metric;
import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.model.BaseModel;
import io.plora.plan.GreedyPacking;
import io.plora.plan.SweepProgress;
import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SweepSpecTest {
    private static final BaseModel BASE = BaseModel.open(TinySweeps.MODEL);
    private static final List<Sample> SAMPLES = TinySweeps.sampleList(1, 10);

    @AfterAll
    static void close() {
        BASE.close();
    }

    @Test
    void refusesTwoConfigurationsOfOneId() {
        LoraConfig config = TinySweeps.CONFIGS.get(0);
        assertThatThrownBy(() -> spec(List.of(config, config), SAMPLES, List.of(TestDevice.of("CPU", 1))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Two configurations have the id (" + config.id() + ")");
    }

    @Test
    void refusesDevicesOfDifferentTypes() {
        ComputeDevice other = new ComputeDevice() {
            @Override
            public String name() {
                return "other";
            }

            @Override
            public long memoryBytes() {
                return 1;
            }

            @Override
            public DType activationType() {
                return DType.BF16;
            }

            @Override
            public DType parameterType() {
                return DType.F32;
            }

            @Override
            public int lossChunkRows(int vocabularySize) {
                return 1;
            }

            @Override
            public Kernels open() {
                throw new UnsupportedOperationException();
            }
        };
        assertThatThrownBy(() -> spec(TinySweeps.CONFIGS, SAMPLES, List.of(TestDevice.of("CPU", 1), other)))
                .hasMessageContaining("Devices (CPU) and (other) compute in different types");
    }

    @Test
    void keepsTheBooksOfALargeSweep() {
        List<LoraConfig> configs = IntStream.range(1, 121)
                .mapToObj(seed -> TinySweeps.config(8, 4).withSeed(seed).build())
                .toList();
        List<Sample> samples = Collections.nCopies(7473, SAMPLES.get(0));
        SweepSpec spec = spec(configs, samples, List.of(TestDevice.of("CPU", 1L << 32)));
        SweepProgress progress = spec.progress(configs, Collections.nCopies(120, 7473L + 4));

        assertThat(progress.state().trial(119).samplesDone()).isEqualTo(7477);
        assertThat(spec.tokensOfTrial()).isEqualTo(2L * 7473 * SAMPLES.get(0).rows());
    }

    @Test
    void anInterruptOfTheExecutorsThreadEndsTheSweepWithAllOfItSaved(@TempDir Path folder) {
        Path output = folder.resolve("sweep");
        SweepSpec spec = spec(TinySweeps.CONFIGS, SAMPLES, List.of(TestDevice.of("CPU", 1L << 32)), output);
        SweepResult result = new SweepExecutor(spec, new SweepListener() {
                    private int steps;

                    @Override
                    public void stepCompleted(StepEvent event) {
                        steps++;
                        if (steps == 3) {
                            Thread.currentThread().interrupt();
                        }
                    }
                })
                .run();

        assertThat(Thread.interrupted()).isTrue();
        assertThat(result.ranking()).extracting(Trial::status).containsOnly(Trial.Status.CANCELLED);
        assertThat(result.steps()).isPositive();
        assertThat(output.resolve("time.json")).exists();
        SweepResult resumed = new SweepExecutor(spec, new SweepListener() {}).run();
        assertThat(resumed.ranking()).extracting(Trial::status).containsOnly(Trial.Status.FINISHED);
    }

    private static SweepSpec spec(List<LoraConfig> configs, List<Sample> samples, List<ComputeDevice> devices) {
        return spec(configs, samples, devices, Path.of("unused"));
    }

    private static SweepSpec spec(
            List<LoraConfig> configs, List<Sample> samples, List<ComputeDevice> devices, Path output) {
        return new SweepSpec(
                BASE,
                configs,
                new Dataset("training", samples, 0, 0),
                new Validation(new Dataset("validation", SAMPLES, 0, 0), null),
                2,
                Metric.VALIDATION_LOSS,
                new GreedyPacking(),
                devices,
                100,
                output,
                null,
                Duration.ofMinutes(1),
                null,
                false);
    }
}
