package io.plora.plan;

/**
 * A device.
 *
 * @param index its number
 * @param memoryBytes what a sweep may use of its memory
 * @param node number of its machine: the devices of a group are of one node
 * @param speed how fast it is, as a multiple of the device that iteration times are predicted for
 */
public record DeviceState(int index, long memoryBytes, int node, double speed) {

    public DeviceState {
        if (!(speed > 0) || Double.isInfinite(speed)) {
            throw new IllegalArgumentException("Speed (%s) of device (%d) must be above 0.".formatted(speed, index));
        }
    }

    /** A device of node 0 with speed 1. */
    public DeviceState(int index, long memoryBytes) {
        this(index, memoryBytes, 0, 1);
    }
}
