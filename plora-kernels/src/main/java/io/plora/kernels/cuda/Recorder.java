package io.plora.kernels.cuda;

import org.jspecify.annotations.Nullable;

/** Records what operations enqueue, to do it again as one piece. */
interface Recorder {

    /**
     * Does the operations and records them.
     *
     * @return null where they cannot be recorded; they are done all the same
     */
    @Nullable Program record(Runnable operations);

    /** What was recorded. */
    interface Program {
        void launch();

        /** Launches under way go on to their end. */
        void close();
    }
}
