package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.plora.kernels.reference.ReferenceKernels;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HostTransferTest {
    private final Kernels kernels = new ReferenceKernels();

    @ParameterizedTest
    @ValueSource(ints = {0, 1, HostTransfer.CHUNK, HostTransfer.CHUNK + 1, 2 * HostTransfer.CHUNK + 12345})
    void valuesOfAnyNumberComeBackAsTheyWere(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = i;
        }
        Tensor tensor = kernels.allocate(DType.F64, count);

        kernels.write(tensor, values);

        assertThat(kernels.floats(tensor)).isEqualTo(values);
    }

    @ParameterizedTest
    @ValueSource(ints = {5, 7})
    void anotherNumberOfValuesIsRefused(int count) {
        Tensor tensor = kernels.allocate(DType.F64, 2, 3);

        assertThatIllegalArgumentException()
                .isThrownBy(() -> kernels.write(tensor, new float[count]))
                .withMessageContaining("(%d) values".formatted(count));
    }
}
