package io.plora.report;

import io.plora.kernels.cpu.CpuKernels;
import io.plora.kernels.cuda.CudaKernels;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** What this machine offers to a sweep, in words; what is missing says why. */
public final class MachineReport {
    private final Map<String, String> entries = new LinkedHashMap<>();

    private MachineReport() {}

    /**
     * Looks around. Initializes ND4J if it has a backend on the class path; whatever fails becomes text and is not thrown.
     */
    public static MachineReport collect() {
        MachineReport report = new MachineReport();
        report.entries.put("JDK", System.getProperty("java.version") + ", " + System.getProperty("java.vendor"));
        report.entries.put(
                "Operating system",
                "%s %s, %s"
                        .formatted(
                                System.getProperty("os.name"),
                                System.getProperty("os.version"),
                                System.getProperty("os.arch")));
        report.entries.put(
                "Processor cores", Integer.toString(Runtime.getRuntime().availableProcessors()));
        report.entries.put("Memory", memory());
        report.addNd4j();
        report.entries.put("CPU kernels", CpuKernels.unavailableReason().orElse("available (float32, OpenBLAS)"));
        report.entries.put(
                "CUDA kernels", CudaKernels.unavailableReason().orElse("available (bf16, cuBLAS at run time)"));
        return report;
    }

    private static String memory() {
        String heap = "Java heap up to " + gibibytes(Runtime.getRuntime().maxMemory());
        return ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system
                ? gibibytes(system.getTotalMemorySize()) + ", " + heap
                : heap;
    }

    private static String gibibytes(long bytes) {
        return String.format(Locale.ROOT, "%.1f GiB", (double) bytes / (1L << 30));
    }

    private void addNd4j() {
        if (isPresent("org.nd4j.linalg.factory.Nd4j")) {
            Nd4jProbe.Finding finding = Nd4jProbe.find();
            entries.put("ND4J", finding.backend());
            entries.put("Devices", finding.devices());
        } else {
            entries.put("ND4J", "not on the class path. Maybe add the dependency org.nd4j:nd4j-native.");
            entries.put("Devices", "none: no ND4J");
        }
    }

    private static boolean isPresent(String className) {
        try {
            Class.forName(className, false, MachineReport.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException | LinkageError e) {
            return false;
        }
    }

    /** One line for each finding. */
    public String text() {
        int width = entries.keySet().stream().mapToInt(String::length).max().orElse(0);
        return entries.entrySet().stream()
                .map(entry ->
                        entry.getKey() + " ".repeat(width - entry.getKey().length()) + "  " + entry.getValue() + "\n")
                .collect(Collectors.joining());
    }

    /** {@link #text()}. */
    @Override
    public String toString() {
        return text();
    }
}
