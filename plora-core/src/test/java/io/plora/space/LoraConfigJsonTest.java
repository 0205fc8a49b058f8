package io.plora.space;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.kernels.OptimizerStep;
import java.util.EnumSet;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LoraConfigJsonTest {

    private static final ObjectMapper MAPPER = new ObjectMapper();

    @Test
    void randomConfigurationsReadBackToTheLastBit() throws JsonProcessingException {
        Random random = new Random(3);
        for (int trial = 0; trial < 200; trial++) {
            LoraConfig config = random(random);
            String text = LoraConfigJson.write(config).toString();
            LoraConfig read = LoraConfigJson.read(MAPPER.readTree(text));
            assertThat(read).isEqualTo(config);
            assertThat(read.id()).isEqualTo(config.id());
        }
    }

    @Test
    void fieldsHaveTheNamesOfTheComponentsInSnakeCase() {
        LoraConfig config = LoraConfig.builder()
                .withTargetModules(EnumSet.of(TargetModule.V_PROJ, TargetModule.Q_PROJ))
                .build();
        assertThat(LoraConfigJson.write(config).toString())
                .isEqualTo("{\"rank\":16,\"alpha\":32.0,\"learning_rate\":2.0E-4,\"batch_size\":1,\"dropout\":0.0,"
                        + "\"target_modules\":[\"q_proj\",\"v_proj\"],\"weight_decay\":0.0,\"warmup_ratio\":0.0,"
                        + "\"schedule\":\"CONSTANT\",\"rank_stabilized\":false,\"lora_plus_ratio\":1.0,"
                        + "\"max_gradient_norm\":1.0,\"optimizer\":\"ADAMW\",\"seed\":0}");
    }

    @ParameterizedTest
    @ValueSource(strings = {"rank", "alpha", "target_modules", "schedule", "rank_stabilized", "seed"})
    void aMissingFieldIsNamed(String field) {
        ObjectNode json = LoraConfigJson.write(LoraConfig.builder().build());
        json.remove(field);
        assertThatThrownBy(() -> LoraConfigJson.read(json))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("LoRA configuration (")
                .hasMessageContaining("'" + field + "'");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'\"rank\": 0'                    | 'LoRA configuration: rank (0) must be from 1 to 256.'",
                "'\"rank\": 1.5'                  | cannot be read",
                "'\"rank\": \"8\"'                | cannot be read",
                "'\"learning_rate\": -0.1'         | 'learningRate (-0.1) must be zero or positive'",
                "'\"learning_rate\": null'         | cannot be read",
                "'\"target_modules\": [\"x_proj\"]'| x_proj",
                "'\"schedule\": \"SQUARE\"'       | SQUARE",
                "'\"optimizer\": 1'               | cannot be read",
                "'\"flavour\": 1'                 | flavour",
            })
    void aWrongFieldIsNamed(String field, String problem) throws JsonProcessingException {
        ObjectNode json = LoraConfigJson.write(LoraConfig.builder().build());
        json.setAll((ObjectNode) MAPPER.readTree("{" + field + "}"));
        assertThatThrownBy(() -> LoraConfigJson.read(json))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(problem);
    }

    @Test
    void somethingElseThanAnObjectIsRefused() {
        assertThatThrownBy(() -> LoraConfigJson.read(MAPPER.missingNode()))
                .isInstanceOf(IllegalArgumentException.class);
    }

    private static LoraConfig random(Random random) {
        EnumSet<TargetModule> targets = EnumSet.of(TargetModule.values()[random.nextInt(7)]);
        targets.add(TargetModule.values()[random.nextInt(7)]);
        return LoraConfig.builder()
                .withRank(1 + random.nextInt(256))
                .withAlpha(random.nextDouble() * 64 + 1e-9)
                .withLearningRate(Math.exp(-20 * random.nextDouble()))
                .withBatchSize(1 + random.nextInt(100))
                .withDropout(random.nextDouble())
                .withTargetModules(targets)
                .withWeightDecay(random.nextDouble())
                .withWarmupRatio(random.nextDouble())
                .withSchedule(Schedule.values()[random.nextInt(3)])
                .withRankStabilized(random.nextBoolean())
                .withLoraPlusRatio(16 * random.nextDouble() + 1e-9)
                .withMaxGradientNorm(random.nextDouble())
                .withOptimizer(OptimizerStep.Rule.values()[random.nextInt(2)])
                .withSeed(random.nextLong())
                .build();
    }
}
