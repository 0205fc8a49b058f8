package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.common.collect.ObjectArrays;
import io.plora.examples.CommandLines;
import io.plora.execute.ComputeDevice;
import io.plora.execute.Journal;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SweepBenchmarkTest {
    private static final int SAMPLES = 6;

    @TempDir
    private Path folder = Path.of("");

    private Path space = Path.of("");

    @BeforeEach
    void writeSpace() throws IOException {
        space = Files.writeString(
                folder.resolve("space.csv"),
                "rank,lora_alpha,learning_rate,batch_size\n4,4,1e-4,1\n4,8,1e-4,1\n8,8,1e-4,3\n8,16,1e-4,3\n");
    }

    private String[] setting(String... more) {
        return ObjectArrays.concat(
                more,
                new String[] {"--space", space.toString(), "--samples", Integer.toString(SAMPLES), "--memory-gib", "1"},
                String.class);
    }

    @Test
    void eachPolicyTrainsTheWholeSweepAndAPlanMadeBeforeIsFollowed() throws IOException {
        Path plan = folder.resolve("dtm.jsonl");
        Path results = folder.resolve("results/sweep.jsonl");

        assertThat(CommandLines.run(new SweepPlanFile(), setting("--device", "CPU", plan.toString())))
                .isZero();
        assertThat(CommandLines.run(
                        new SweepBenchmark(),
                        setting(
                                "--device", "CPU",
                                "--dtm-plan", plan.toString(),
                                "--scratch", folder.toString(),
                                "--results", results.toString())))
                .isZero();

        List<JsonNode> rows = new ArrayList<>();
        for (String line : Files.readAllLines(results)) {
            rows.add(new ObjectMapper().readTree(line));
        }
        assertThat(rows)
                .extracting(row -> row.get("policy").asText())
                .containsExactly("continuous packing", "replay of DTM", "min GPU");
        assertThat(rows).allSatisfy(row -> {
            assertThat(row.get("optimizer_steps").asInt()).isEqualTo(2 * 6 + 2 * 2);
            assertThat(row.get("tokens").asInt())
                    .isEqualTo(rows.get(0).get("tokens").asInt());
            assertThat(row.get("makespan_s").asDouble())
                    .isGreaterThan(row.get("iterations_s").asDouble());
            assertThat(row.get("planned_s").asDouble()).isPositive();
            assertThat(row.get("tokenizer_vocabulary").asInt()).isEqualTo(4096);
        });
        assertThat(rows.get(0).get("most_together").asInt()).isGreaterThan(1);
        assertThat(rows.get(2).get("adapters_together").asDouble()).isEqualTo(1);
        try (var left = Files.list(folder)) {
            assertThat(left).containsExactlyInAnyOrder(space, plan, results.getParent());
        }
    }

    @Test
    void oneByOneIsExtrapolatedFromOneConfigurationOfEachKind() throws IOException {
        Path results = folder.resolve("sweep.jsonl");

        assertThat(CommandLines.run(
                        new SweepBenchmark(),
                        setting(
                                "--device",
                                "CPU",
                                "--policies",
                                "MIN_GPU",
                                "--alone-one-of-each",
                                "--scratch",
                                folder.toString(),
                                "--results",
                                results.toString())))
                .isZero();

        JsonNode row = new ObjectMapper().readTree(Files.readString(results));
        assertThat(row.get("configs").asInt()).isEqualTo(4);
        assertThat(row.get("trained_configs").asInt()).isEqualTo(2);
        assertThat(row.get("extrapolated").asBoolean()).isTrue();
        double toFirstStep = row.get("to_first_step_s").asDouble();
        assertThat(row.get("makespan_s").asDouble())
                .isCloseTo(toFirstStep + 2 * (row.get("measured_s").asDouble() - toFirstStep), within(0.01));
    }

    @Test
    void configurationsThatDifferInAlphaLearningRateAndSeedOnlyAreOfOneKind() {
        LoraConfig first = LoraConfig.builder().withRank(4).build();
        List<LoraConfig> configs = List.of(
                first,
                first.toBuilder()
                        .withAlpha(2)
                        .withLearningRate(1e-3)
                        .withSeed(9)
                        .build(),
                first.toBuilder().withDropout(0.1).build(),
                first.toBuilder().withDropout(0.1).withSeed(9).build());
        LiveSweep sweep = new LiveSweep(folder, configs, List.of(), ComputeDevice.cpu(), folder);

        assertThat(sweep.oneOfEach().configs()).containsExactly(first, configs.get(2));
    }

    @Test
    void kindsOfUnequalNumberAreRefused() {
        LoraConfig first = LoraConfig.builder().withRank(4).build();
        List<LoraConfig> configs = List.of(
                first,
                first.toBuilder().withAlpha(2).build(),
                first.toBuilder()
                        .withTargetModules(List.of(TargetModule.Q_PROJ))
                        .build());
        LiveSweep sweep = new LiveSweep(folder, configs, List.of(), ComputeDevice.cpu(), folder);

        assertThatIllegalStateException().isThrownBy(sweep::oneOfEach).withMessageContaining("([2, 1])");
    }

    @Test
    void aSweepIsPlannedForAGpuThatIsNotHere() {
        Path plan = folder.resolve("dtm.jsonl");

        assertThat(CommandLines.run(new SweepPlanFile(), setting("--gpu", "NVIDIA H100 80GB HBM3", plan.toString())))
                .isZero();

        assertThat(Journal.read(plan).decisions()).isNotEmpty();
    }
}
