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
        assertThat(plan.toText().lines())
                .containsExactly(
                        "Plan by greedy packing: 3 iterations, 120 tokens",
                        "Group 0 on devices [0]: 3 iterations, 120 tokens (at most 50 an iteration), at most 1.0 KiB",
                        "  trial  configuration                               first     last  samples",
                        "      0  %-40s        0        2        3"
                                .formatted(config(8, 1).id()),
                        "      1  %-40s        0        1        3"
                                .formatted(config(16, 2).id()));
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
