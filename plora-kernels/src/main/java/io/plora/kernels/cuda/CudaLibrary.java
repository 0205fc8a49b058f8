package io.plora.kernels.cuda;

import java.util.Optional;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.LongPointer;
import org.jspecify.annotations.Nullable;

/** The native library of this process: loaded once, its first failure kept. */
final class CudaLibrary {
    private static final int OK = 0;
    private static final int INVALID = 1;
    private static final @Nullable Throwable FAILURE = load();

    private CudaLibrary() {}

    private static @Nullable Throwable load() {
        try {
            Loader.load(Plora.class);
            return null;
        } catch (LinkageError | RuntimeException e) {
            return e;
        }
    }

    /** Why the library cannot be used here and what to do, or empty where it can. */
    static Optional<String> unavailableReason() {
        return Optional.ofNullable(FAILURE)
                .map(failure -> ("The CUDA kernels cannot be loaded: %s. Maybe this build was made without nvcc, or "
                                + "plora-kernels with the classifier of this platform (linux-x86_64) is not on the class path.")
                        .formatted(failure));
    }

    /** @throws IllegalStateException if the library could not be loaded, with the first failure as cause */
    static void require() {
        if (FAILURE != null) {
            throw new IllegalStateException(unavailableReason().orElseThrow(), FAILURE);
        }
    }

    /**
     * Checks what a native function returned.
     *
     * @throws IllegalArgumentException if an argument was refused
     * @throws IllegalStateException if CUDA or cuBLAS failed
     */
    static void check(int status) {
        if (status != OK) {
            String message = Plora.message();
            throw status == INVALID ? new IllegalArgumentException(message) : new IllegalStateException(message);
        }
    }

    /** A new event of the current device, to be destroyed by whoever asks for it. */
    static long createEvent() {
        try (LongPointer made = new LongPointer(1)) {
            check(Plora.createEvent(made));
            return made.get();
        }
    }
}
