package io.plora.model;

import io.plora.kernels.DType;
import java.util.Arrays;

/** Element type and shape of a tensor in a file. */
public final class TensorInfo {
    private final DType type;
    private final long[] shape;

    /**
     * @throws IllegalArgumentException if a dimension is negative
     * @throws ArithmeticException if the size in bytes exceeds a long
     */
    public TensorInfo(DType type, long... shape) {
        this.type = type;
        this.shape = shape.clone();
        if (Arrays.stream(shape).anyMatch(dimension -> dimension < 0)) {
            throw new IllegalArgumentException(
                    "Shape (%s) has a negative dimension.".formatted(Arrays.toString(shape)));
        }
        bytes();
    }

    public DType type() {
        return type;
    }

    public long[] shape() {
        return shape.clone();
    }

    /** Number of elements; 1 for a scalar. */
    public long size() {
        return Arrays.stream(shape).reduce(1, Math::multiplyExact);
    }

    public long bytes() {
        return Math.multiplyExact(size(), type.bytes());
    }

    public boolean hasShape(long... expected) {
        return Arrays.equals(shape, expected);
    }

    @Override
    public String toString() {
        return type + Arrays.toString(shape);
    }
}
