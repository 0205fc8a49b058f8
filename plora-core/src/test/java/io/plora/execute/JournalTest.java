package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.plan.EndReason;
import io.plora.plan.GreedyPacking;
import io.plora.plan.PlanSimulator;
import io.plora.plan.SweepPlan;
import io.plora.plan.SweepProgress;
import io.plora.plan.Sweeps;
import io.plora.plan.Sweeps.RandomSweep;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JournalTest {

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void nameFile() {
        file = folder.resolve("journal.jsonl");
    }

    private SweepPlan journaled(RandomSweep sweep) {
        SweepProgress progress = sweep.start();
        try (Journal journal = Journal.create(file, "greedy packing", sweep.configs())) {
            progress.observe(journal);
            return PlanSimulator.simulate(new GreedyPacking(), progress);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void replayMakesTheSamePlan(long seed) {
        RandomSweep sweep = Sweeps.random(seed);
        SweepPlan plan = journaled(sweep);

        Journal.Contents journal = Journal.read(file);
        SweepPlan replayed = PlanSimulator.simulate(new ReplayPolicy(journal), sweep.start());

        assertThat(journal.tornLine()).isNull();
        assertThat(journal.decisions()).isEqualTo(plan.decisions());
        assertThat(replayed.decisions()).isEqualTo(plan.decisions());
        assertThat(replayed.groups()).isEqualTo(plan.groups());
        assertThat(replayed.policy()).isEqualTo("replay of greedy packing");
    }

    @Test
    void linesAreJsonObjects() throws IOException {
        SweepProgress progress = Sweeps.sweep(List.of(Sweeps.config(8, 2)), new int[] {10, 20}, 100, 2000)
                .build();
        try (Journal journal = Journal.create(file, "greedy packing", List.of(Sweeps.config(8, 2)))) {
            progress.observe(journal);
            progress.decide(new GreedyPacking());
            progress.finish(0, Map.of(0, EndReason.FAILED));

            assertThat(Files.readAllLines(file))
                    .as("lines before the journal is closed")
                    .containsExactly(
                            "{\"event\":\"started\",\"policy\":\"greedy packing\",\"trials\":[\"%s\"]}"
                                    .formatted(Sweeps.config(8, 2).id()),
                            "{\"event\":\"decided\",\"decision\":0,\"actions\":["
                                    + "{\"action\":\"open\",\"group\":0,\"devices\":[0]},"
                                    + "{\"action\":\"join\",\"group\":0,\"trial\":0},"
                                    + "{\"action\":\"iterate\",\"group\":0,\"samples\":{\"0\":2},\"repeat\":1,\"filled\":false}]}",
                            "{\"event\":\"finished\",\"group\":0,\"iteration\":0,\"samples\":{\"0\":2}}",
                            "{\"event\":\"ended\",\"trial\":0,\"reason\":\"FAILED\",\"samples\":2}");
        }
    }

    @Test
    void tornLastLineIsLeftOutAndReported() throws IOException {
        journaled(Sweeps.random(3));
        String text = Files.readString(file);
        Files.writeString(file, text.substring(0, text.length() - 5));

        Journal.Contents journal = Journal.read(file);

        assertThat(journal.tornLine()).startsWith("{\"event\":\"ended\"");
        assertThat(journal.entries())
                .hasSize((int) text.lines().count() - 1)
                .last()
                .isInstanceOf(JournalEntry.Finished.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "no json",
                "{\"event\":\"paused\"}",
                "{\"event\":\"ended\",\"trial\":0}",
                "{\"event\":\"ended\",\"trial\":0,\"reason\":\"BORED\",\"samples\":1}",
                "{\"event\":\"ended\",\"trial\":0,\"reason\":\"FAILED\",\"samples\":1,\"more\":2}",
                "{\"event\":\"decided\",\"decision\":0,\"actions\":null}"
            })
    void malformedLineIsNamed(String line) throws IOException {
        Files.writeString(file, "{\"event\":\"started\",\"policy\":\"p\",\"trials\":[]}\n" + line + "\n");

        assertThatThrownBy(() -> Journal.read(file))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(file + ": line 2: this is no entry of a journal (");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{\"event\":\"finished\",\"group\":0,\"iteration\":0,\"samples\":{}}\n", "{\"eve"})
    void otherFileIsNoJournal(String text) throws IOException {
        Files.writeString(file, text);

        assertThatThrownBy(() -> Journal.read(file))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(file + ": line 1: this is no journal of a sweep.");
    }

    @Test
    void existingJournalIsNotOverwritten() {
        journaled(Sweeps.random(3));

        assertThatThrownBy(() -> journaled(Sweeps.random(3)))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessage(file + ": there is a journal already. Maybe choose another output folder.");
    }

    @Test
    void missingFilesAreNamed() {
        assertThatThrownBy(() -> Journal.read(file))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageStartingWith(file + ": cannot read the journal");
        assertThatThrownBy(() -> Journal.create(folder.resolve("absent/journal.jsonl"), "p", List.of()))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining("absent/journal.jsonl: cannot write the journal");
    }
}
