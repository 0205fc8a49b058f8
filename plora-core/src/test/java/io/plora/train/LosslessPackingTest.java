package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.kernels.Kernels;
import io.plora.kernels.cpu.CpuKernels;
import io.plora.kernels.reference.ReferenceKernels;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The promise of packing: an adapter trained in a pack ends where it ends alone. */
class LosslessPackingTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void packedEqualsAloneInDoublePrecision(int seed) {
        try (Kernels kernels = new ReferenceKernels()) {
            comparePackedWithAlone(kernels, seed, 1e-6, 1e-6);
        }
    }

    @ParameterizedTest
    @MethodSource("cpuSeeds")
    void packedEqualsAloneOnTheCpu(int seed) {
        try (Kernels kernels = new CpuKernels()) {
            comparePackedWithAlone(kernels, seed, 1e-5, 1e-4);
        }
    }

    /** Half of what a GPU is allowed in {@link CudaPackingTest}, on the same groups. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void roundingToBf16ChangesGradientsLittle(int seed) {
        RandomGroup group = new RandomGroup(seed, RandomModel::shapeForGpu, 5, 8, 24);
        try (Kernels kernels = new CpuKernels()) {
            List<RandomGroup.Trained> exact = group.alone(kernels);
            requireEqual(group.alone(RoundingKernels.of(kernels)), exact, 3e-2, 1e-3);
        }
    }

    static IntStream cpuSeeds() {
        return IntStream.rangeClosed(11, 40);
    }

    private static void comparePackedWithAlone(
            Kernels kernels, int seed, double gradientTolerance, double weightTolerance) {
        RandomGroup group = new RandomGroup(seed, RandomModel::shape, 5, 2, 19);
        requireEqual(group.packed(kernels), group.alone(kernels), gradientTolerance, weightTolerance);
    }

    private static void requireEqual(
            List<RandomGroup.Trained> packed,
            List<RandomGroup.Trained> alone,
            double gradientTolerance,
            double weightTolerance) {
        for (int i = 0; i < packed.size(); i++) {
            assertThat(alone.get(i).gradients()).hasSize(RandomGroup.STEPS);
            assertThat(packed.get(i).gradients()).hasSize(RandomGroup.STEPS);
            for (int step = 0; step < RandomGroup.STEPS; step++) {
                assertThat(Vectors.relativeError(
                                packed.get(i).gradients().get(step),
                                alone.get(i).gradients().get(step)))
                        .as("gradient of %s at step %d", packed.get(i).config(), step)
                        .isLessThan(gradientTolerance);
            }
            assertThat(Vectors.relativeError(
                            packed.get(i).parameters(), alone.get(i).parameters()))
                    .as("A and B of %s", packed.get(i).config())
                    .isLessThan(weightTolerance);
        }
    }
}
