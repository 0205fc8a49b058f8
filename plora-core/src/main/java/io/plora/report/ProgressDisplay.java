package io.plora.report;

/** Where progress is shown. */
interface ProgressDisplay extends AutoCloseable {

    /** Shows nothing. */
    ProgressDisplay NONE = new ProgressDisplay() {
        @Override
        public void show(long done, long expected, double secondsLeft, String remark) {}

        @Override
        public void close() {}
    };

    /**
     * @param done tokens so far
     * @param expected tokens in all
     * @param secondsLeft NaN where it is not known but by the tokens
     * @param remark what else to say; may be empty
     */
    void show(long done, long expected, double secondsLeft, String remark);

    /** Shows the last state and lets go of the output, which stays open. */
    @Override
    void close();
}
