package io.plora.report;

import com.google.common.base.Throwables;
import java.security.CodeSource;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import org.nd4j.linalg.api.environment.Nd4jEnvironment;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.factory.Nd4jBackend;

/**
 * What ND4J's backend is and which devices it sees. The only class of this package that touches ND4J: it must not be
 * touched itself unless ND4J is on the class path.
 */
final class Nd4jProbe {
    private Nd4jProbe() {}

    /**
     * @param backend what computes, or why nothing does
     * @param devices GPUs that the backend sees, or why there are none
     */
    record Finding(String backend, String devices) {}

    static Finding find() {
        try {
            List<String> candidates = ServiceLoader.load(Nd4jBackend.class).stream()
                    .map(provider -> provider.type().getSimpleName() + " of " + origin(provider.type()))
                    .toList();
            if (candidates.isEmpty()) {
                return new Finding(
                        "%s is here, but no backend. Maybe add the dependency org.nd4j:nd4j-native (CPU) or an org.nd4j:nd4j-cuda-... (GPU)."
                                .formatted(origin(Nd4j.class)),
                        "none: no ND4J backend");
            }
            return load(candidates);
        } catch (ServiceConfigurationError | LinkageError e) {
            return new Finding("has a backend that cannot be read: " + reason(e), "none: no ND4J backend");
        }
    }

    /** Initializes ND4J, which loads the backend's native libraries. */
    private static Finding load(List<String> candidates) {
        try {
            Class<?> backend = Nd4j.getBackend().getClass();
            Properties environment = Nd4j.getExecutioner().getEnvironmentInformation();
            return new Finding(backend.getSimpleName() + " of " + origin(backend), devices(environment));
        } catch (Exception | LinkageError e) {
            return new Finding(
                    "%s does not load: %s".formatted(String.join(", ", candidates), reason(e)),
                    "none: the ND4J backend does not load");
        }
    }

    /** The GPUs in {@link org.nd4j.linalg.api.ops.executioner.OpExecutioner#getEnvironmentInformation}. */
    static String devices(Properties environment) {
        if (!(environment.get(Nd4jEnvironment.CUDA_DEVICE_INFORMATION_KEY) instanceof List<?> devices)) {
            return "CPU only: the ND4J backend is not one for CUDA";
        }
        if (devices.isEmpty()) {
            return "none: the CUDA backend sees no GPU";
        }
        return devices.stream().map(device -> device((Map<?, ?>) device)).collect(Collectors.joining("; "));
    }

    private static String device(Map<?, ?> device) {
        return String.format(
                Locale.ROOT,
                "%s, compute capability %s.%s, %.1f GiB",
                device.get(Nd4jEnvironment.CUDA_DEVICE_NAME_KEY),
                device.get(Nd4jEnvironment.CUDA_DEVICE_MAJOR_VERSION_KEY),
                device.get(Nd4jEnvironment.CUDA_DEVICE_MINOR_VERSION_KEY),
                ((Number) device.get(Nd4jEnvironment.CUDA_TOTAL_MEMORY_KEY)).doubleValue() / (1L << 30));
    }

    /** The jar that a class comes from: its name tells artifact and version. */
    private static String origin(Class<?> type) {
        CodeSource source = type.getProtectionDomain().getCodeSource();
        if (source == null || source.getLocation() == null) {
            return "an unknown jar";
        }
        String path = source.getLocation().getPath();
        return path.substring(path.lastIndexOf('/') + 1);
    }

    private static String reason(Throwable failure) {
        return Throwables.getRootCause(failure).toString();
    }
}
