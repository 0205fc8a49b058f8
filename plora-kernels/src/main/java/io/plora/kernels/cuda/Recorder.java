package io.plora.kernels.cuda;

/** Records what operations enqueue, to do it again as one piece. */
interface Recorder {

    /**
     * Records without doing anything.
     *
     * @throws IllegalStateException if that is not possible
     */
    Program record(Runnable operations);

    /** What was recorded. */
    interface Program {
        void launch();

        /** Waits for launches under way. */
        void close();
    }
}
