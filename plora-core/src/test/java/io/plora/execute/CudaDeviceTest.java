package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CudaDeviceTest {
    @ParameterizedTest
    @CsvSource({"81920, 79360", "8192, 7936", "1024, 768", "300, 150", "0, 0"})
    void anArenaLeavesSomeMemoryToLibraries(long freeMib, long usableMib) {
        assertThat(CudaDevice.usable(freeMib << 20)).isEqualTo(usableMib << 20);
    }
}
