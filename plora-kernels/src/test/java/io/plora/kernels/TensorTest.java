package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class TensorTest {

    @Test
    void viewsShareMemoryAndKnowTheirAddress() {
        Tensor tensor = Tensor.onHost(DType.F32, 4, 3);
        Tensor rows = tensor.rows(1, 3);

        rows.view(4, 2).floats().put(0, 5);

        assertThat(tensor.floats().get(7)).isEqualTo(5);
        assertThat(rows.shape()).containsExactly(2, 3);
        assertThat(rows.address()).isEqualTo(tensor.address() + 12);
        assertThat(rows.view(4, 2).address()).isEqualTo(tensor.address() + 28);
    }

    @Test
    void viewsOfDeviceMemoryMoveTheAddress() {
        Tensor tensor = Tensor.onDevice(this, 1024, DType.BF16, 4, 3);

        assertThat(tensor.rows(2, 4).address()).isEqualTo(1024 + 12);
        assertThat(tensor.isOnHost()).isFalse();
    }

    @Test
    void aViewBeyondTheEndIsRefused() {
        Tensor tensor = Tensor.onHost(DType.F64, 4);

        assertThatExceptionOfType(IndexOutOfBoundsException.class)
                .isThrownBy(() -> tensor.view(2, 3))
                .withMessageContaining("[2, 5)");
    }

    @Test
    void rowsInReverseAreRefusedAlsoOnADevice() {
        Tensor tensor = Tensor.onDevice(this, 1024, DType.BF16, 4, 3);

        assertThatIllegalArgumentException().isThrownBy(() -> tensor.rows(3, 1)).withMessageContaining("[-2, 3]");
    }

    @Test
    void memoryOnTheHeapIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.ofHost(ByteBuffer.allocate(16), DType.F32, 4))
                .withMessageContaining("heap")
                .withMessageContaining("allocateDirect");
    }

    @Test
    void memoryOfAnotherSizeIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.ofHost(ByteBuffer.allocateDirect(12), DType.F32, 4))
                .withMessageContaining("(12) bytes");
    }

    @Test
    void moreThanABufferHoldsIsRefusedWithAdvice() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.onHost(DType.F32, 1 << 15, 1 << 15))
                .withMessageContaining("more than 2 GiB")
                .withMessageContaining("Maybe");
    }
}
