package io.plora.plan;

/**
 * A device.
 *
 * @param index its number
 * @param memoryBytes what a sweep may use of its memory
 */
public record DeviceState(int index, long memoryBytes) {}
