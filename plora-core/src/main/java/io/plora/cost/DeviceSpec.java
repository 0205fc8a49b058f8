package io.plora.cost;

import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * A kind of accelerator, as the time model sees it. The rates are those that programs reach, not the peaks of the data
 * sheet.
 *
 * <p>The built-in devices take memory (what the driver reports) and peaks from NVIDIA's data sheets, dense bf16 with
 * float32 accumulation:
 *
 * <table>
 * <caption>Peak and achievable</caption>
 * <tr><th>device</th><th>peak TFLOP/s</th><th>achievable</th><th>peak GB/s</th><th>achievable</th><th>link</th></tr>
 * <tr><td>A10-24GB</td><td>125</td><td>70</td><td>600</td><td>510</td><td>PCIe 4</td></tr>
 * <tr><td>A100-40GB</td><td>312</td><td>240</td><td>1555</td><td>1370</td><td>NVLink 3</td></tr>
 * <tr><td>A100-80GB</td><td>312</td><td>240</td><td>2039</td><td>1790</td><td>NVLink 3</td></tr>
 * <tr><td>L4</td><td>121</td><td>60</td><td>300</td><td>255</td><td>PCIe 4</td></tr>
 * <tr><td>L40S</td><td>362</td><td>220</td><td>864</td><td>735</td><td>PCIe 4</td></tr>
 * <tr><td>H100-80GB</td><td>989</td><td>690</td><td>3350</td><td>2900</td><td>NVLink 4</td></tr>
 * <tr><td>H200</td><td>989</td><td>690</td><td>4800</td><td>4200</td><td>NVLink 4</td></tr>
 * </table>
 *
 * Only the H100's achievable rates are measured: 744 TFLOP/s in one product of 8192 x 8192 x 8192, 690 TFLOP/s and 2.9
 * TB/s fit forward and backward products at the shapes of Qwen2.5-7B from 256 to 8192 tokens within 9%. The others
 * take about the same share of their peaks (A10, L4 and L40S less of their operations, as their power limits do not
 * sustain the peak clock); {@link Calibration} corrects them by measurement.
 *
 * @param name for people and reports
 * @param memoryBytes what the driver reports
 * @param operationsPerSecond achievable multiplications and additions of bf16 products
 * @param bytesPerSecond achievable memory bandwidth
 * @param linkBytesPerSecond achievable all-reduce bandwidth of a device within its node, one direction ("bus
 *     bandwidth")
 * @param linkSeconds latency of one hop of a collective
 * @param kernelSeconds what starting a kernel adds to the time of a pass
 */
public record DeviceSpec(
        String name,
        long memoryBytes,
        double operationsPerSecond,
        double bytesPerSecond,
        double linkBytesPerSecond,
        double linkSeconds,
        double kernelSeconds) {

    private static final double PCIE_4 = 12e9; // through the host's memory, no peer access
    private static final double NVLINK_3 = 230e9; // of 300 each way
    private static final double NVLINK_4 = 360e9; // of 450 each way
    private static final double PCIE_HOP = 5e-6;
    private static final double NVLINK_HOP = 1.5e-6;
    private static final double KERNEL = 2e-6;

    public static final DeviceSpec A10_24GB =
            new DeviceSpec("A10-24GB", mebibytes(23_028), 70e12, 510e9, PCIE_4, PCIE_HOP, KERNEL);
    public static final DeviceSpec A100_40GB =
            new DeviceSpec("A100-40GB", mebibytes(40_960), 240e12, 1370e9, NVLINK_3, NVLINK_HOP, KERNEL);
    public static final DeviceSpec A100_80GB =
            new DeviceSpec("A100-80GB", mebibytes(81_920), 240e12, 1790e9, NVLINK_3, NVLINK_HOP, KERNEL);
    public static final DeviceSpec L4 = new DeviceSpec("L4", mebibytes(23_034), 60e12, 255e9, PCIE_4, PCIE_HOP, KERNEL);
    public static final DeviceSpec L40S =
            new DeviceSpec("L40S", mebibytes(46_068), 220e12, 735e9, PCIE_4, PCIE_HOP, KERNEL);
    public static final DeviceSpec H100_80GB =
            new DeviceSpec("H100-80GB", mebibytes(81_559), 690e12, 2900e9, NVLINK_4, NVLINK_HOP, KERNEL);
    public static final DeviceSpec H200 =
            new DeviceSpec("H200", mebibytes(143_771), 690e12, 4200e9, NVLINK_4, NVLINK_HOP, KERNEL);

    private static final List<DeviceSpec> BUILT_IN = List.of(A10_24GB, A100_40GB, A100_80GB, L4, L40S, H100_80GB, H200);

    public DeviceSpec {
        requirePositive(name, "memoryBytes", memoryBytes);
        requirePositive(name, "operationsPerSecond", operationsPerSecond);
        requirePositive(name, "bytesPerSecond", bytesPerSecond);
        requirePositive(name, "linkBytesPerSecond", linkBytesPerSecond);
        if (!(linkSeconds >= 0 && kernelSeconds >= 0)) {
            throw new IllegalArgumentException(
                    "Device (%s): linkSeconds (%s) and kernelSeconds (%s) must be zero or positive."
                            .formatted(name, linkSeconds, kernelSeconds));
        }
    }

    private static void requirePositive(String device, String name, double value) {
        if (!(value > 0 && Double.isFinite(value))) {
            throw new IllegalArgumentException("Device (%s): %s (%s) must be positive.".formatted(device, name, value));
        }
    }

    /**
     * A built-in device.
     *
     * @param name such as {@code A100-40GB}
     * @throws IllegalArgumentException if there is none of that name
     */
    public static DeviceSpec of(String name) {
        return BUILT_IN.stream()
                .filter(device -> device.name.equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        "Unknown device (%s). Maybe use one of %s, or give the numbers of your own."
                                .formatted(
                                        name,
                                        String.join(
                                                ", ",
                                                BUILT_IN.stream()
                                                        .map(DeviceSpec::name)
                                                        .toList()))));
    }

    /**
     * The built-in device that is most like one: of the same name as the driver tells it, or else of the nearest memory.
     *
     * @param driverName such as {@code NVIDIA A100-SXM4-40GB}
     * @param memoryBytes that can be used
     */
    public static DeviceSpec like(String driverName, long memoryBytes) {
        Set<String> words =
                new HashSet<>(Arrays.asList(driverName.toUpperCase(Locale.ROOT).split("[ -]")));
        Comparator<DeviceSpec> named = Comparator.comparing(
                device -> !words.contains(device.name.substring(0, (device.name + "-").indexOf('-'))));
        return BUILT_IN.stream()
                .min(named.thenComparingLong(device -> Math.abs(device.memoryBytes - memoryBytes)))
                .orElseThrow();
    }

    /**
     * What a sweep may use of the memory: PLoRA's {@code C * M_gpu}.
     *
     * @param loadFactor C, above 0 and at most 1
     */
    public long usableBytes(double loadFactor) {
        if (!(loadFactor > 0 && loadFactor <= 1)) {
            throw new IllegalArgumentException(
                    "The load factor (%s) must be above 0 and at most 1.".formatted(loadFactor));
        }
        return (long) (memoryBytes * loadFactor);
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "%s (%s, %.0f TFLOP/s, %.0f GB/s)",
                name,
                Bytes.toText(memoryBytes),
                operationsPerSecond / 1e12,
                bytesPerSecond / 1e9);
    }

    private static long mebibytes(long count) {
        return count << 20;
    }
}
