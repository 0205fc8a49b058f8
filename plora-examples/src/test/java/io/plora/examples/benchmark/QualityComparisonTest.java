package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class QualityComparisonTest {

    @Test
    void lossesWithinTheToleranceAreMet() {
        JsonNode row = QualityComparison.compare(losses("GPU", 2.012, 3), losses("CPU", 2, 3.003));
        assertThat(row.path("of").asText()).isEqualTo("GPU");
        assertThat(row.path("from").asText()).isEqualTo("CPU");
        assertThat(row.path("steps").asInt()).isEqualTo(2);
        assertThat(row.path("largest").asDouble()).isEqualTo(0.006);
        assertThat(row.path("met").asBoolean()).isTrue();
    }

    @Test
    void oneLossBeyondTheToleranceIsNotMet() {
        JsonNode row = QualityComparison.compare(losses("GPU", 2, 3, 1.98), losses("CPU", 2, 3, 2));
        assertThat(row.path("largest").asDouble()).isEqualTo(0.01);
        assertThat(row.path("met").asBoolean()).isFalse();
    }

    @Test
    void lossesThatAreNoNumbersAreNotMet() {
        JsonNode row = QualityComparison.compare(losses("GPU", 2, Double.NaN), losses("CPU", 2, 3));
        assertThat(row.path("met").asBoolean()).isFalse();
    }

    @Test
    void configurationsThatDoNotDifferClearlyMayChangePlaces() {
        JsonNode row = QualityComparison.compare(
                ranking("GPU", "b", 2.001, "a", 2.002, "c", 2.5), ranking("CPU", "a", 2, "b", 2.01, "c", 2.6));
        assertThat(row.path("pairs").asInt()).isEqualTo(3);
        assertThat(row.path("clear_pairs").asInt()).isEqualTo(2);
        assertThat(row.path("clear_pairs_in_order").asInt()).isEqualTo(2);
        assertThat(row.path("best").asText()).isEqualTo("b");
        assertThat(row.path("best_from").asText()).isEqualTo("a");
        assertThat(row.path("met").asBoolean()).isTrue();
    }

    @Test
    void configurationsThatDifferClearlyKeepTheirOrder() {
        JsonNode row =
                QualityComparison.compare(ranking("GPU", "b", 2.0, "a", 2.001), ranking("CPU", "a", 2, "b", 2.04));
        assertThat(row.path("clear_pairs_in_order").asInt()).isZero();
        assertThat(row.path("met").asBoolean()).isFalse();
    }

    @Test
    void rowsOfOtherTrainingsAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> QualityComparison.compare(losses("GPU", 2), losses("CPU", 2, 3)))
                .withMessageContaining("(GPU) and (CPU)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> QualityComparison.compare(ranking("GPU", "a", 2.0), ranking("CPU", "b", 2.0)))
                .withMessageContaining("(GPU) and (CPU)");
    }

    private static ObjectNode losses(String system, double... losses) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("kind", "losses").put("case", "mine").put("system", system);
        row.putObject("config").put("rank", 4);
        ArrayNode array = row.putArray("losses");
        Arrays.stream(losses).forEach(array::add);
        return row;
    }

    /** @param trials id and validation loss in turn */
    private static ObjectNode ranking(String system, Object... trials) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("kind", "ranking").put("case", "mine").put("system", system);
        ArrayNode array = row.putArray("trials");
        for (int i = 0; i < trials.length; i += 2) {
            array.addObject()
                    .put("id", (String) trials[i])
                    .put("validation_loss", ((Number) trials[i + 1]).doubleValue());
        }
        return row;
    }
}
