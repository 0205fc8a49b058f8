package io.plora.kernels;

import com.google.common.base.Throwables;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.Properties;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.indexer.LongIndexer;
import org.nd4j.linalg.api.buffer.DataBuffer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The edge to ND4J: tensors as arrays, and arrays as host tensors. */
public final class NDArrays {
    private static final Logger LOGGER = LoggerFactory.getLogger(NDArrays.class);

    private NDArrays() {}

    /**
     * An array over a tensor's memory: what is written through one is seen by the other. A tensor on the host needs ND4J's CPU
     * backend and is kept reachable by the array; one on a GPU needs its CUDA backend, and the kernels that the tensor is from
     * must stay open.
     *
     * @throws IllegalStateException if a tensor on the host is of 16 bits, or the backend cannot reach the tensor
     */
    public static INDArray view(Tensor tensor) {
        if (!tensor.isOnHost()) {
            cudaUnavailableReason().ifPresent(reason -> {
                throw new IllegalStateException("%s is no memory of the host. %s".formatted(tensor, reason));
            });
            return Nd4j.create(onDevice(tensor), tensor.shape());
        }
        if (cudaUnavailableReason().isEmpty()) {
            throw new IllegalStateException(
                    "ND4J computes on a GPU in this process and has no view of (%s).".formatted(tensor));
        }
        boolean isDouble = tensor.type() == DType.F64;
        DataBuffer buffer = isDouble
                ? Nd4j.createBuffer(new DoublePointer(tensor.doubles()), tensor.size(), DataType.DOUBLE)
                : Nd4j.createBuffer(new FloatPointer(tensor.floats()), tensor.size(), DataType.FLOAT);
        return Nd4j.create(buffer, tensor.shape());
    }

    /** Why ND4J cannot use a GPU in this process, or empty where it can. */
    public static Optional<String> cudaUnavailableReason() {
        try {
            Properties environment = Nd4j.getExecutioner().getEnvironmentInformation();
            String backend = String.valueOf(environment.getProperty("backend")).toUpperCase(Locale.ROOT);
            return backend.contains("CUDA")
                    ? Optional.empty()
                    : Optional.of(
                            ("ND4J computes on (%s) in this process. Maybe replace nd4j-native by nd4j-cuda on the "
                                            + "class path.")
                                    .formatted(backend));
        } catch (LinkageError | RuntimeException e) {
            LOGGER.debug("ND4J has no backend that works here.", e);
            return Optional.of("ND4J has no backend that works here: %s.".formatted(Throwables.getRootCause(e)));
        }
    }

    /** A buffer over device memory that it does not own, without a copy on the host. */
    private static DataBuffer onDevice(Tensor tensor) {
        // kernels have no other types on a device
        DataType type = tensor.type() == DType.BF16 ? DataType.BFLOAT16 : DataType.FLOAT;
        return Nd4j.getDataBufferFactory()
                .create(
                        new Address(0),
                        new Address(tensor.address()),
                        type,
                        tensor.size(),
                        LongIndexer.create(new LongPointer((Pointer) null)));
    }

    /** Somewhere in memory that is not JavaCPP's. */
    private static final class Address extends Pointer {
        private Address(long address) {
            super((Pointer) null);
            this.address = address;
        }
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
