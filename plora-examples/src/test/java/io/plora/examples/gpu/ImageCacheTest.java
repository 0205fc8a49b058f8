package io.plora.examples.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@DisabledOnOs(OS.WINDOWS)
class ImageCacheTest {
    @TempDir
    Path folder;

    @Test
    void aTextIsCompiledOnceWithFullOptimization() throws Exception {
        FakePtxas ptxas = FakePtxas.in(folder, 1);

        assertThat(image(ptxas, "text", 90)).isEqualTo("O3 text");
        assertThat(image(ptxas, "text", 90)).isEqualTo("O3 text");
        assertThat(ptxas.calls()).containsExactly("-arch=sm_90 -O3");
    }

    @Test
    void anotherGpuAnotherTextOrAnotherAssemblerMeansAnotherImage() throws Exception {
        FakePtxas ptxas = FakePtxas.in(folder, 1);
        FakePtxas newer = FakePtxas.in(folder, 2);
        image(ptxas, "text", 90);
        image(ptxas, "text", 89);
        image(ptxas, "other", 90);
        image(newer, "text", 90);

        assertThat(ptxas.calls()).containsExactly("-arch=sm_90 -O3", "-arch=sm_89 -O3", "-arch=sm_90 -O3");
        assertThat(newer.calls()).containsExactly("-arch=sm_90 -O3");
    }

    @Test
    void whereTheAssemblerFailsLessOptimizationIsTried() throws Exception {
        FakePtxas ptxas = FakePtxas.in(folder, 1);

        assertThat(image(ptxas, "fails above 1", 90)).isEqualTo("O1 fails above 1");
        assertThat(ptxas.calls()).containsExactly("-arch=sm_90 -O3", "-arch=sm_90 -O2", "-arch=sm_90 -O1");
    }

    @Test
    void whereItCrashesAtEveryLevelTheErrorTellsHowItEnded() throws Exception {
        FakePtxas ptxas = FakePtxas.in(folder, 1);

        assertThatThrownBy(() -> image(ptxas, "crashes", 90))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("V99.1.1")
                .hasMessageContaining("sm_90")
                .hasMessageContaining("exit status 137");
        assertThat(ptxas.calls()).hasSize(4);
    }

    @Test
    void aProgramThatIsNoAssemblerIsRefused() {
        assertThatThrownBy(() -> Ptxas.of(Path.of("/bin/sh")))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("does not tell its version");
        assertThatThrownBy(() -> Ptxas.of(folder.resolve("missing"))).hasMessageContaining("cannot be run");
    }

    private String image(FakePtxas ptxas, String text, int architecture) throws IOException, InterruptedException {
        ImageCache cache = new ImageCache(folder.resolve("cache"), Ptxas.of(ptxas.program()));
        return new String(cache.image(text, architecture), StandardCharsets.UTF_8);
    }
}
