package io.plora.kernels;

import java.util.Arrays;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.nd4j.linalg.api.buffer.DataBuffer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** The edge to ND4J: host tensors of float32 and double precision as arrays, and arrays as tensors. */
public final class NDArrays {
    private NDArrays() {}

    /**
     * An array over a host tensor's memory: what is written through one is seen by the other. The array keeps the memory
     * reachable. Needs ND4J's CPU backend.
     *
     * @throws IllegalStateException if the tensor is on a device or of 16 bits
     */
    public static INDArray view(Tensor tensor) {
        boolean isDouble = tensor.type() == DType.F64;
        DataBuffer buffer = isDouble
                ? Nd4j.createBuffer(new DoublePointer(tensor.doubles()), tensor.size(), DataType.DOUBLE)
                : Nd4j.createBuffer(new FloatPointer(tensor.floats()), tensor.size(), DataType.FLOAT);
        return Nd4j.create(buffer, tensor.shape());
    }

    /** A new host tensor of an array's shape and values, of type F32 or F64. */
    public static Tensor copyOf(INDArray array, DType type) {
        Tensor tensor = Tensor.onHost(type, array.shape());
        copy(array, tensor);
        return tensor;
    }

    /**
     * Copies an array of any order, type and backend into a host tensor of the same shape, of type F32 or F64.
     *
     * @throws IllegalArgumentException if the shapes differ
     */
    public static void copy(INDArray from, Tensor to) {
        if (!Arrays.equals(from.shape(), to.shape())) {
            throw new IllegalArgumentException(
                    "An array of shape (%s) does not fit (%s).".formatted(Arrays.toString(from.shape()), to));
        }
        if (to.type() == DType.F64) {
            to.doubles().put(0, from.castTo(DataType.DOUBLE).dup('c').data().asDouble());
        } else {
            to.floats().put(0, from.castTo(DataType.FLOAT).dup('c').data().asFloat());
        }
    }
}
