package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.plora.LoraSweep;
import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A sweep on a device of which others have taken memory since it was made. */
class MemoryLeftTest {
    @TempDir
    private Path folder;

    /** A device with some memory when it is made, and another when a sweep starts. */
    private record Shared(ComputeDevice before, ComputeDevice now) implements ComputeDevice {
        @Override
        public String name() {
            return before.name();
        }

        @Override
        public long memoryBytes() {
            return before.memoryBytes();
        }

        @Override
        public DType activationType() {
            return before.activationType();
        }

        @Override
        public DType parameterType() {
            return before.parameterType();
        }

        @Override
        public int lossChunkRows(int vocabularySize) {
            return before.lossChunkRows(vocabularySize);
        }

        @Override
        public Kernels open() {
            throw new IllegalStateException("This device is gone; what it is now is to be opened.");
        }
    }

    private LoraSweep sweep(ComputeDevice now) {
        return TinySweeps.sweep(folder.resolve("sweep"))
                .withDevice(new Shared(ComputeDevice.cpu(2, 1L << 40), now))
                .build();
    }

    @Test
    void runsOnWhatIsLeft() {
        List<String> opened = new ArrayList<>();
        TestDevice left = TestDevice.of("left", 1L << 32, (call, method, arguments) -> {
            opened.add(method.getName());
            return call.proceed();
        });

        assertThat(sweep(left).run().ranking()).hasSameSizeAs(TinySweeps.CONFIGS);

        assertThat(opened).contains("embed", "optimize");
    }

    @Test
    void isPlannedForWhatIsLeftBeforeAnythingIsWritten() {
        LoraSweep sweep = sweep(TestDevice.of("small", 1 << 20));

        assertThatIllegalArgumentException()
                .isThrownBy(sweep::run)
                .withMessageContaining("the largest device has (1.0 MiB)");

        assertThat(folder).isEmptyDirectory();
    }
}
