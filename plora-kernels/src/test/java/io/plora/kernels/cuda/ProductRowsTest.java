package io.plora.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.kernels.DType;
import io.plora.kernels.Tensor;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ProductRowsTest {

    @Test
    void rowsAreRoundedUpInStepsThatGrowWithTheirNumber() {
        assertThat(IntStream.of(0, 1, 8, 9, 64, 65, 80, 256, 257, 320, 1025).map(ProductRows::rounded))
                .containsExactly(0, 8, 8, 16, 64, 80, 80, 256, 320, 320, 1088);
    }

    @Test
    void thereAreFewNumbersOfRowsAndNoneGrowsByMoreThanAQuarterOrSevenRows() {
        assertThat(IntStream.rangeClosed(1, 4096).map(ProductRows::rounded).distinct())
                .hasSize(8 + 12 + 60);
        assertThat(IntStream.rangeClosed(1, 4096))
                .allSatisfy(rows ->
                        assertThat(ProductRows.rounded(rows)).isBetween(rows, Math.max(rows + 7, rows * 5 / 4)));
    }

    @Test
    void noMoreRowsAreTakenThanThereIsMemoryFor() {
        Tensor large = Tensor.onDevice(this, 0, DType.BF16, 100, 8);
        Tensor small = Tensor.onDevice(this, 0, DType.BF16, 20, 16);

        assertThat(ProductRows.rounded(17, large, small)).isEqualTo(20);
        assertThat(ProductRows.rounded(17, small, large)).isEqualTo(20);
        assertThat(ProductRows.rounded(15, large, small)).isEqualTo(16);
    }
}
