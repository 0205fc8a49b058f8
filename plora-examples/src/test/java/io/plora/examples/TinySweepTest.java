package io.plora.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.Metric;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.adapter.PeftAdapter;
import io.plora.model.BaseModel;
import io.plora.report.TrialFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TinySweepTest {
    private static final String WEIGHT = "model.layers.0.self_attn.q_proj.weight";

    @TempDir
    private static Path folder = Path.of("");

    private static int runTinySweep() {
        return CommandLines.run(
                new TinySweep(), "--output", sweep().toString(), "--samples", "4", "--validation-samples", "2");
    }

    private static Path sweep() {
        return folder.resolve("sweep");
    }

    private static SweepResult recorded() {
        return new SweepResult(TrialFiles.read(sweep()), Metric.VALIDATION_LOSS, sweep(), 0);
    }

    @BeforeAll
    static void run() {
        assertThat(runTinySweep()).isZero();
    }

    @Test
    void ranksSixteenFinishedTrialsByValidationLoss() {
        assertThat(recorded().ranking())
                .hasSize(16)
                .allMatch(trial -> trial.status() == Trial.Status.FINISHED)
                .isSortedAccordingTo(
                        (a, b) -> Double.compare(a.value(Metric.VALIDATION_LOSS), b.value(Metric.VALIDATION_LOSS)));
    }

    @Test
    void theBestAdapterIsOneOfPeft() {
        Trial best = recorded().best();
        PeftAdapter adapter = PeftAdapter.load(best.adapter());
        assertThat(adapter.config()).isEqualTo(best.config());
        assertThat(adapter.layers()).isEqualTo(4);
    }

    @Test
    void runAgainItTrainsNothing() throws IOException {
        Path records = sweep().resolve(TrialFiles.JSON_LINES);
        String before = Files.readString(records);
        assertThat(runTinySweep()).isZero();
        assertThat(records).hasContent(before);
        assertThat(sweep().resolve("journal-2.jsonl")).doesNotExist();
    }

    @Test
    void adapterToolsMergesTheBestAdapter() {
        Path merged = folder.resolve("merged");
        int status = CommandLines.run(new AdapterTools(), "--sweep", sweep().toString(), "--merged", merged.toString());
        assertThat(status).isZero();
        try (BaseModel base = BaseModel.open(ExampleFiles.model());
                BaseModel model = BaseModel.open(merged)) {
            assertThat(model.config()).isEqualTo(base.config());
            assertThat(model.checkpoint().floats(WEIGHT))
                    .isNotEqualTo(base.checkpoint().floats(WEIGHT));
        }
    }
}
