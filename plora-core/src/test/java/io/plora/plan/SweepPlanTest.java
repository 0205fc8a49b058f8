package io.plora.plan;

import static io.plora.plan.Sweeps.config;
import static io.plora.plan.Sweeps.sweep;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SweepPlanTest {
    private final SweepPlan plan = PlanSimulator.simulate(
            new GreedyPacking(),
            sweep(List.of(config(8, 1), config(16, 2)), new int[] {10, 20, 30}, 100, 2000)
                    .build());

    @Test
    void textIsATable() {
        // the chain of trial 0 takes 10 + 20 + 30 seconds, both trials 120; of the 1000 bytes beside the base model,
        // trial 0
        // holds 8 for 3 steps of 10 seconds or more, trial 1 holds 16 for a whole step of 2 x 10 seconds or more
        assertThat(plan.toText().lines().filter(line -> !line.startsWith("3 iterations")))
                .containsExactly(
                        "Plan by greedy packing: 120.0 seconds, 0.0% above the lower bound (work 120.0, chain 60.0, memory 0.6)",
                        "Group 0 on devices [0] from 0.0 to 120.0: 3 iterations, 120 tokens (at most 50 an iteration), at most 1.0 KiB",
                        "  trial  configuration                                   joins       leaves  samples",
                        "      0  %-40s          0.0        120.0        3"
                                .formatted(config(8, 1).id()),
                        "      1  %-40s          0.0         90.0        3"
                                .formatted(config(16, 2).id()));
    }

    @Test
    void baselineIsALineOfTheTextAndAFieldOfTheJson() throws Exception {
        SweepPlan alone = PlanSimulator.simulate(
                new OneByOne(),
                sweep(List.of(config(8, 1), config(16, 2)), new int[] {10, 20, 30}, 100, 2000)
                        .withTime((work, degree) -> 1.5 * work.tokens(), config -> 0)
                        .build());

        SweepPlan compared = plan.comparedWith(alone);

        assertThat(compared.toText())
                .contains("By one by one: 180.0 seconds, 50.0% above the lower bound, 1.50 times as long");
        JsonNode json = new ObjectMapper().readTree(compared.toJson());
        assertThat(json.at("/baseline/policy").asText()).isEqualTo("one by one");
        assertThat(json.at("/baseline/makespan").asDouble()).isEqualTo(180);
        assertThat(new ObjectMapper().readTree(plan.toJson()).at("/baseline").isNull())
                .isTrue();
    }

    @Test
    void jsonHoldsGroupsAndMembers() throws Exception {
        JsonNode json = new ObjectMapper().readTree(plan.toJson());

        assertThat(json.at("/policy").asText()).isEqualTo("greedy packing");
        assertThat(json.at("/groups/0/largestMemory").asLong()).isEqualTo(1000 + 24 + 50);
        assertThat(json.at("/groups/0/members/1/id").asText())
                .isEqualTo(config(16, 2).id());
        assertThat(json.has("decisions")).isFalse();
    }

    @Test
    void greedyPackingFillsTheTokenBudgetOfALargeSweep() {
        List<LoraConfig> configs = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            configs.add(LoraConfig.builder()
                    .withRank(8 << (i % 4))
                    .withBatchSize(1 << (i % 3))
                    .withSeed(i)
                    .build());
        }
        int[] lengths = new Random(1).ints(1000, 50, 400).toArray();

        SweepPlan large = PlanSimulator.simulate(
                new GreedyPacking(), sweep(configs, lengths, 8192, 1_000_000).build());

        assertThat(large.tokens() / (8192.0 * large.iterations())).isBetween(0.95, 1.0);
        assertThat(large.groups().get(0).members()).hasSize(100);
    }
}
