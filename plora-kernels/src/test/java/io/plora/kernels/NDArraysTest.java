package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

class NDArraysTest {

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "F64"})
    void aViewAndItsTensorSeeEachOthersWrites(DType type) {
        Tensor tensor = Tensor.onHost(type, 2, 3);
        INDArray view = NDArrays.view(tensor);

        put(tensor, 4, 7);
        view.putScalar(0, 2, 5);
        view.muli(2);

        assertThat(view.shape()).containsExactly(2, 3);
        assertThat(view.getDouble(1, 1)).isEqualTo(14);
        assertThat(get(tensor, 2)).isEqualTo(10);
        assertThat(get(tensor, 4)).isEqualTo(14);
    }

    @Test
    void aViewOfASliceStartsAtTheSlice() {
        Tensor tensor = Tensor.onHost(DType.F32, 4, 3);
        INDArray view = NDArrays.view(tensor.rows(2, 4));

        view.putScalar(1, 0, 3);

        assertThat(tensor.floats().get(9)).isEqualTo(3);
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "F64"})
    void anArrayIsCopiedWhateverItsOrderAndType(DType type) {
        INDArray array = Nd4j.create(new double[][] {{1, 2, 3}, {4, 5, 6}})
                .castTo(DataType.INT32)
                .transpose();

        Tensor tensor = NDArrays.copyOf(array, type);

        assertThat(tensor.shape()).containsExactly(3, 2);
        assertThat(new double[] {get(tensor, 0), get(tensor, 1), get(tensor, 2)})
                .containsExactly(1, 4, 2);
    }

    @Test
    void anArrayOfAnotherShapeIsRefused() {
        Tensor tensor = Tensor.onHost(DType.F32, 2, 2);

        assertThatIllegalArgumentException()
                .isThrownBy(() -> NDArrays.copy(Nd4j.zeros(4), tensor))
                .withMessageContaining("[4]");
    }

    @Test
    void aDeviceTensorHasNoViewWhereNd4jComputesOnTheHost() {
        Tensor tensor = Tensor.onDevice(this, 256, DType.F32, 2);

        assertThatIllegalStateException()
                .isThrownBy(() -> NDArrays.view(tensor))
                .withMessageContaining("ND4J computes on (CPU)");
    }

    private static void put(Tensor tensor, int index, double value) {
        if (tensor.type() == DType.F64) {
            tensor.doubles().put(index, value);
        } else {
            tensor.floats().put(index, (float) value);
        }
    }

    private static double get(Tensor tensor, int index) {
        return tensor.type() == DType.F64
                ? tensor.doubles().get(index)
                : tensor.floats().get(index);
    }
}
