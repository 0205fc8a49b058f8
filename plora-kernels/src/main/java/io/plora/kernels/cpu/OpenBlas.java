package io.plora.kernels.cpu;

import java.util.Optional;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.jspecify.annotations.Nullable;

/**
 * The OpenBLAS library of this process: loaded once, and set to one thread while kernels are open, because they split their
 * work themselves.
 */
final class OpenBlas {
    private static final @Nullable Throwable FAILURE = load();
    private static int users;
    private static int previousThreads;

    private OpenBlas() {}

    private static @Nullable Throwable load() {
        try {
            Loader.load(openblas_nolapack.class);
            return null;
        } catch (LinkageError | RuntimeException e) {
            return e;
        }
    }

    /** Why products cannot be computed here, or empty where they can. */
    static Optional<String> unavailableReason() {
        return Optional.ofNullable(FAILURE)
                .map(failure -> ("OpenBLAS for this platform (%s) cannot be loaded: %s. Maybe add the dependency "
                                + "org.nd4j:nd4j-native with both no classifier and the classifier (%s).")
                        .formatted(platform(), failure, platform()));
    }

    private static String platform() {
        try {
            return Loader.getPlatform();
        } catch (LinkageError e) {
            return System.getProperty("os.name") + " " + System.getProperty("os.arch");
        }
    }

    /** @throws IllegalStateException if the library cannot be loaded */
    static synchronized void acquire() {
        if (FAILURE != null) {
            throw new IllegalStateException(unavailableReason().orElseThrow(), FAILURE);
        }
        if (users++ == 0) {
            previousThreads = openblas_nolapack.blas_get_num_threads();
            useOneThread();
        }
    }

    static synchronized void release() {
        if (--users == 0) {
            // Never set before: the library's own default, all processors.
            boolean unset = previousThreads < 1;
            openblas_nolapack.blas_set_num_threads(
                    unset ? Runtime.getRuntime().availableProcessors() : previousThreads);
        }
    }

    /** Repeats the setting if somebody (ND4J as it starts) has changed it since. */
    static void useOneThread() {
        if (openblas_nolapack.blas_get_num_threads() != 1) {
            openblas_nolapack.blas_set_num_threads(1);
        }
    }
}
