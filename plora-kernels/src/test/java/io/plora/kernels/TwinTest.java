package io.plora.kernels;

import io.plora.kernels.reference.ReferenceKernels;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;

/** Common ground of the suites that every implementation passes: a subclass an implementation. */
abstract class TwinTest {
    Random random = new Random();
    Twin twin;

    /** A new instance of what is tested. */
    abstract Kernels kernels();

    /** Error allowed relative to an element plus the root mean square of its tensor. */
    abstract double tolerance();

    /** The same for results that no rounded activation has gone into: losses, statistics, optimizer steps. */
    double exactTolerance() {
        return tolerance();
    }

    /** As many random cases as the system property says; runs on a GPU take 200. */
    static LongStream seeds() {
        return LongStream.range(0, Long.getLong("plora.seeds", 20));
    }

    /** For cases that take long. */
    static LongStream fewSeeds() {
        return LongStream.range(0, 4);
    }

    void start(long seed) {
        random = new Random(seed);
        twin = new Twin(kernels(), new ReferenceKernels(), random, tolerance(), exactTolerance());
    }

    @AfterEach
    void close() {
        twin.close();
    }

    RandomBatches batches() {
        return new RandomBatches(random).withAdapters(1 + random.nextInt(5)).withLongestSequence(30);
    }

    AttentionShape attentionShape() {
        int kvHeads = 1 + random.nextInt(2);
        int[] headSizes = {32, 64, 96, 128};
        return new AttentionShape(kvHeads * (1 + random.nextInt(3)), kvHeads, headSizes[random.nextInt(4)]);
    }
}
