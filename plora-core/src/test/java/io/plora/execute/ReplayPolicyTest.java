package io.plora.execute;

import static io.plora.plan.Sweeps.config;
import static io.plora.plan.Sweeps.sweep;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.plan.Decision;
import io.plora.plan.DeviceState;
import io.plora.plan.EndReason;
import io.plora.plan.GreedyPacking;
import io.plora.plan.GroupState;
import io.plora.plan.PackingPolicy;
import io.plora.plan.SweepProgress;
import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReplayPolicyTest {
    private static final List<LoraConfig> CONFIGS =
            List.of(config(8, 1), config(16, 1), config(32, 2), config(64, 2), config(4, 4));

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void nameFile() {
        file = folder.resolve("journal.jsonl");
    }

    private static SweepProgress start() {
        return sweep(CONFIGS, new int[] {10, 20, 30, 40}, 60, 2000)
                .withDevices(List.of(new DeviceState(0, 2000), new DeviceState(1, 2000)))
                .build();
    }

    /** Runs a sweep in which the group of the lowest or of the highest number always finishes first. */
    private static List<Decision> run(PackingPolicy policy, SweepProgress progress, boolean lowestFirst) {
        List<Decision> decisions = new ArrayList<>();
        while (!progress.state().isDone()) {
            decisions.add(progress.decide(policy));
            List<Integer> iterating = progress.state().groups().stream()
                    .filter(GroupState::isIterating)
                    .map(GroupState::id)
                    .toList();
            progress.finish(iterating.get(lowestFirst ? 0 : iterating.size() - 1), Map.of());
        }
        return decisions;
    }

    private ReplayPolicy journaled(SweepProgress progress, boolean lowestFirst) {
        try (Journal journal = Journal.create(file, "greedy packing", CONFIGS)) {
            progress.observe(journal);
            run(new GreedyPacking(), progress, lowestFirst);
        }
        return new ReplayPolicy(Journal.read(file));
    }

    @Test
    void actionsStayTheSameWhereGroupsFinishInAnotherOrder() {
        ReplayPolicy replay = journaled(start(), true);
        List<Decision> first = Journal.read(file).decisions();

        List<Decision> again = run(replay, start(), false);

        assertThat(again)
                .flatExtracting(Decision::actions)
                .containsExactlyElementsOf(first.stream()
                        .flatMap(decision -> decision.actions().stream())
                        .toList());
    }

    @Test
    void journalOfOtherTrialsIsRefused() {
        ReplayPolicy replay = journaled(start(), true);
        SweepProgress other = sweep(List.of(config(8, 1)), new int[] {10, 20, 30, 40}, 60, 2000)
                .build();

        assertThatThrownBy(() -> other.decide(replay))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageStartingWith(file + ": this is the journal of other trials (")
                .hasMessageEndingWith("Maybe use the same search space.");
    }

    @Test
    void trialThatEndsEarlierThanInTheJournalIsNamed() {
        ReplayPolicy replay = journaled(start(), true);
        SweepProgress progress = start();
        progress.decide(replay);
        progress.finish(0, Map.of(0, EndReason.FAILED));

        assertThatThrownBy(() -> progress.decide(replay))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageMatching(
                        ".*journal.jsonl: line 4: the sweep deviates from its journal: trial \\(0, r8-.*\\) trains on in "
                                + "the journal, here it has ended\\.");
    }

    @Test
    void trialThatEndsOnlyInTheJournalIsNamed() {
        SweepProgress cancelled = start();
        try (Journal journal = Journal.create(file, "greedy packing", CONFIGS)) {
            cancelled.observe(journal);
            cancelled.end(4, EndReason.CANCELLED);
            run(new GreedyPacking(), cancelled, true);
        }
        ReplayPolicy replay = new ReplayPolicy(Journal.read(file));

        assertThatThrownBy(() -> start().decide(replay))
                .hasMessageMatching(
                        ".*: line 2: .*trial \\(4, r4-.*\\) ends \\(CANCELLED\\) in the journal, here it is "
                                + "\\(WAITING\\)\\.");
    }

    @Test
    void sweepThatIsAheadOfItsJournalIsNamed() {
        ReplayPolicy replay = journaled(start(), true);
        SweepProgress ahead = start();
        ahead.decide(new GreedyPacking());
        ahead.finish(0, Map.of());
        ahead.decide(new GreedyPacking());
        ahead.finish(0, Map.of());

        assertThatThrownBy(() -> ahead.decide(replay))
                .hasMessageMatching(
                        ".*: line 2: .*group \\(0\\) has done \\(2\\) iterations, in the journal \\(0\\)\\.");
    }

    @Test
    void endOfTheJournalBeforeTheEndOfTheSweepIsReported() {
        SweepProgress crashed = start();
        try (Journal journal = Journal.create(file, "greedy packing", CONFIGS)) {
            crashed.observe(journal);
            crashed.decide(new GreedyPacking());
        }
        ReplayPolicy replay = new ReplayPolicy(Journal.read(file));
        SweepProgress progress = start();
        progress.decide(replay);
        progress.finish(0, Map.of());
        assertThat(progress.decide(replay).actions()).isEmpty();
        progress.finish(1, Map.of());

        assertThatThrownBy(() -> progress.decide(replay))
                .hasMessage(file
                        + ": line 3: the sweep deviates from its journal: the journal ends here, the sweep does not.");
    }
}
