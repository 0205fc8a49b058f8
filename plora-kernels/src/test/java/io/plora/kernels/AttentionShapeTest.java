package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class AttentionShapeTest {

    @Test
    void rowsHoldQueriesThenKeysThenValues() {
        AttentionShape shape = new AttentionShape(6, 2, 32);

        assertThat(shape.qkvSize()).isEqualTo(10 * 32);
        assertThat(shape.outputSize()).isEqualTo(6 * 32);
    }

    @Test
    void queryHeadsThatKeyHeadsDoNotDivideAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AttentionShape(3, 2, 4))
                .withMessageContaining("Query heads (3)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AttentionShape(4, 0, 4))
                .withMessageContaining("key and value heads (0)");
    }

    @Test
    void anOddHeadSizeCannotBeRotatedAndIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AttentionShape(2, 1, 5))
                .withMessageContaining("head size (5)");
    }
}
