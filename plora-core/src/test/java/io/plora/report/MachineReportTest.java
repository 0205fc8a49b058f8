package io.plora.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.environment.Nd4jEnvironment;

class MachineReportTest {

    @Test
    void describesTheMachineAndTheCpuBackend() {
        List<String> lines = MachineReport.collect().text().lines().toList();

        assertThat(lines)
                .anyMatch(line -> line.matches("JDK +" + System.getProperty("java.version") + ", .*"))
                .anyMatch(line -> line.matches("Operating system +" + System.getProperty("os.name") + " .*"))
                .anyMatch(line -> line.matches("Processor cores +[0-9]+"))
                .anyMatch(line -> line.matches("Memory +[0-9.]+ GiB, Java heap up to [0-9.]+ GiB"))
                .anyMatch(line -> line.matches("ND4J +CpuBackend of nd4j-native-1\\.0\\.0-M[0-9.]+\\.jar"))
                .anyMatch(line -> line.matches("Devices +CPU only: .*"))
                .anyMatch(line -> line.matches("CPU kernels +available .*"))
                .anyMatch(line ->
                        line.matches("CUDA kernels +(The CUDA kernels cannot be loaded|ND4J computes on \\(CPU\\)).*"));
        assertThat(MachineReport.collect()).hasToString(MachineReport.collect().text());
    }

    @Test
    void saysThatNd4jIsMissing() throws Exception {
        assertThat(reportWith(jar -> !jar.contains("nd4j")))
                .containsPattern("ND4J +not on the class path\\. Maybe add the dependency org\\.nd4j:nd4j-native\\.")
                .containsPattern("Devices +none: no ND4J")
                .containsPattern("CPU kernels +OpenBLAS for this platform .* cannot be loaded: .*Maybe");
    }

    @Test
    void saysThatNd4jHasNoBackend() throws Exception {
        assertThat(reportWith(jar -> !jar.matches("nd4j-native-(1|preset).*")))
                .containsPattern("ND4J +nd4j-api-.*\\.jar is here, but no backend\\. Maybe add the dependency")
                .containsPattern("Devices +none: no ND4J backend");
    }

    @Test
    void saysWhyTheBackendDoesNotLoad() throws Exception {
        assertThat(reportWith(jar -> !jar.matches("nd4j-native-(preset-)?1.*-(linux|macosx|windows)-.*")))
                .containsPattern(
                        "ND4J +CpuBackend of nd4j-native-.*\\.jar does not load: java\\.lang\\..* Maybe its natives are missing")
                .containsPattern("Devices +none: the ND4J backend does not load");
    }

    @Test
    void namesCudaDevices() {
        Properties environment = new Properties();
        environment.put(
                Nd4jEnvironment.CUDA_DEVICE_INFORMATION_KEY,
                List.of(
                        Map.of(
                                Nd4jEnvironment.CUDA_DEVICE_NAME_KEY,
                                "NVIDIA A100",
                                Nd4jEnvironment.CUDA_DEVICE_MAJOR_VERSION_KEY,
                                8L,
                                Nd4jEnvironment.CUDA_DEVICE_MINOR_VERSION_KEY,
                                0L,
                                Nd4jEnvironment.CUDA_TOTAL_MEMORY_KEY,
                                40L << 30),
                        Map.of(
                                Nd4jEnvironment.CUDA_DEVICE_NAME_KEY,
                                "NVIDIA A10",
                                Nd4jEnvironment.CUDA_DEVICE_MAJOR_VERSION_KEY,
                                8L,
                                Nd4jEnvironment.CUDA_DEVICE_MINOR_VERSION_KEY,
                                6L,
                                Nd4jEnvironment.CUDA_TOTAL_MEMORY_KEY,
                                24L << 30)));

        assertThat(Nd4jProbe.devices(environment))
                .isEqualTo(
                        "NVIDIA A100, compute capability 8.0, 40.0 GiB; NVIDIA A10, compute capability 8.6, 24.0 GiB");
    }

    @Test
    void saysThatACudaBackendSeesNoDevice() {
        Properties environment = new Properties();
        environment.put(Nd4jEnvironment.CUDA_DEVICE_INFORMATION_KEY, List.of());

        assertThat(Nd4jProbe.devices(environment)).isEqualTo("none: the CUDA backend sees no GPU");
    }

    /**
     * The report of a class path with only those jars whose names are accepted, and never OpenBLAS: a native library that
     * another class loader has loaded is lost to the rest of this JVM.
     */
    private static String reportWith(Predicate<String> accepted) throws Exception {
        List<URL> urls = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            String jar = Path.of(entry).getFileName().toString();
            if (!jar.startsWith("openblas") && accepted.test(jar)) {
                urls.add(url(entry));
            }
        }
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        try (URLClassLoader loader =
                new URLClassLoader(urls.toArray(URL[]::new), ClassLoader.getPlatformClassLoader())) {
            Thread.currentThread().setContextClassLoader(loader);
            return loader.loadClass(MachineReport.class.getName())
                    .getMethod("collect")
                    .invoke(null)
                    .toString();
        } finally {
            Thread.currentThread().setContextClassLoader(before);
        }
    }

    private static URL url(String entry) throws MalformedURLException {
        return Path.of(entry).toUri().toURL();
    }
}
