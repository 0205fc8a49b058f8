package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.primitives.Doubles;
import io.plora.kernels.Kernels;
import io.plora.kernels.reference.ReferenceKernels;
import io.plora.model.ModelConfig;
import io.plora.model.RopeConfig;
import io.plora.space.LoraConfig;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The promise of packing in bf16: gradients of every step, packed and alone, are as near to one another and to those in double
 * precision as rounding to 8 binary digits allows.
 */
@Tag("gpu")
class CudaPackingTest {
    private static final Logger LOGGER = LoggerFactory.getLogger(CudaPackingTest.class);

    /** Of a gradient's norm, where a pack's products are rounded in other kernels than those of one alone (1.2% on an H100). */
    private static final double PACKING_TOLERANCE = 3e-2;

    /**
     * Of a gradient's norm, from double precision: twice what rounding to bf16 after every operation changes on the CPU ({@link
     * LosslessPackingTest}), as a GPU rounds adapters and attention's probabilities too (3.1% on an H100). Most for q alone, as
     * the softmax's backward pass takes differences of nearly equal values.
     */
    private static final double EXACT_TOLERANCE = 6e-2;

    /** Of the norm of A and B. AdamW moves where the sign of a gradient is rounding's to choose by a whole learning rate. */
    private static final double WEIGHT_TOLERANCE = 5e-3;

    @BeforeAll
    static void needsAGpu() {
        Gpu.assumeAvailable();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void packedEqualsAlone(int seed) {
        requirePackedEqualsAlone(new RandomGroup(seed, RandomModel::shapeForGpu, 5, 8, 24));
    }

    @Test
    void packedEqualsAloneWhereThePackTakesOtherKernels() {
        ModelConfig model = new ModelConfig(
                "qwen2", 256, 704, 2, 4, 2, 64, 512, 1e-6, new RopeConfig(10000, null), true, true, 256);
        requirePackedEqualsAlone(new RandomGroup(1, random -> model, 24, 8, 250));
    }

    private static void requirePackedEqualsAlone(RandomGroup group) {
        try (Kernels kernels = Gpu.kernels()) {
            requireEqual("packed and alone", group.packed(kernels), group.alone(kernels), PACKING_TOLERANCE);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void gradientsAreThoseOfDoublePrecision(int seed) {
        RandomGroup group = new RandomGroup(seed, RandomModel::shapeForGpu, 5, 8, 24);
        List<RandomGroup.Trained> exact = trained(ReferenceKernels::new, group::alone);
        requireEqual("alone and in double precision", trained(Gpu::kernels, group::alone), exact, EXACT_TOLERANCE);
        requireEqual("packed and in double precision", trained(Gpu::kernels, group::packed), exact, EXACT_TOLERANCE);
    }

    private static List<RandomGroup.Trained> trained(
            Supplier<Kernels> device, Function<Kernels, List<RandomGroup.Trained>> way) {
        try (Kernels kernels = device.get()) {
            return way.apply(kernels);
        }
    }

    private static void requireEqual(
            String what, List<RandomGroup.Trained> actual, List<RandomGroup.Trained> expected, double tolerance) {
        for (int i = 0; i < expected.size(); i++) {
            List<float[]> ofOne = actual.get(i).gradients();
            List<float[]> ofOther = expected.get(i).gradients();
            assertThat(ofOne).hasSameSizeAs(ofOther).hasSize(RandomGroup.STEPS);
            double[] errors = IntStream.range(0, RandomGroup.STEPS)
                    .mapToDouble(step -> Vectors.relativeError(ofOne.get(step), ofOther.get(step)))
                    .toArray();
            double ofWeights = Vectors.relativeError(
                    actual.get(i).parameters(), expected.get(i).parameters());
            LoraConfig config = actual.get(i).config();
            LOGGER.info(
                    "{}: gradients differ by {} at most, A and B by {}, {}",
                    what,
                    Doubles.max(errors),
                    ofWeights,
                    config);
            assertThat(Doubles.max(errors))
                    .as("gradients of %s, %s", config, what)
                    .isLessThan(tolerance);
            assertThat(ofWeights).as("A and B of %s, %s", config, what).isLessThan(WEIGHT_TOLERANCE);
        }
    }
}
