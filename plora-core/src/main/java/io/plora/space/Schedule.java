package io.plora.space;

/** How the learning rate goes on after warm-up; shapes follow transformers' schedules of the same names. */
public enum Schedule {
    CONSTANT,
    /** Falls in a line to zero at the last optimizer step. */
    LINEAR,
    /** Falls along half a cosine to zero at the last optimizer step. */
    COSINE;

    /**
     * Factor of the learning rate.
     *
     * @param step number of the optimizer step, from 0
     * @param warmupSteps steps over which the rate rises from zero
     * @param totalSteps optimizer steps of the whole training
     */
    public double factor(long step, long warmupSteps, long totalSteps) {
        if (step < warmupSteps) {
            return (double) step / Math.max(1, warmupSteps);
        }
        double progress = (double) (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
        return switch (this) {
            case CONSTANT -> 1;
            case LINEAR -> Math.max(0, 1 - progress);
            case COSINE -> Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
        };
    }
}
