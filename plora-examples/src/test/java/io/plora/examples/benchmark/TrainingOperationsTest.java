package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.data.Sample;
import io.plora.model.ModelConfig;
import io.plora.model.RopeConfig;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.util.List;
import org.junit.jupiter.api.Test;

class TrainingOperationsTest {
    /** H 64, F 96, 2 layers, 2 query heads and 1 key and value head of 32, V 100. */
    private static final ModelConfig MODEL =
            new ModelConfig("qwen2", 64, 96, 2, 2, 1, 32, 100, 1e-6, new RopeConfig(1e4, null), true, true, 128);

    private static final LoraConfig QUERIES = LoraConfig.builder()
            .withRank(4)
            .withTargetModules(List.of(TargetModule.Q_PROJ))
            .build();

    @Test
    void countsWhatTheFormulaSays() {
        // 4 tokens: 3 rows, of which the last 2 have a target
        Sample sample = new Sample(new int[] {1, 2, 3, 4}, new boolean[] {false, false, true, true});
        double qkv = 64 * 64 + 2 * 64 * 32;
        double layer = qkv + 64 * 64 + 3 * 64 * 96;
        double parameters = 2 * 4 * (64 + 64);
        double expected = 3 * (4 * 2 * layer - 2 * qkv)
                + 3 * (6 * parameters - 2 * 4 * 64)
                + 12 * 2 * 2 * 32 * (3 * 4 / 2)
                + 4 * 2 * 100 * 64;
        assertThat(new TrainingOperations(MODEL).of(QUERIES, List.of(sample))).isEqualTo(expected);
        assertThat(new TrainingOperations(MODEL).of(QUERIES, List.of(sample, sample)))
                .isEqualTo(2 * expected);
    }
}
