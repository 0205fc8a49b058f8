package io.plora.cost;

import io.plora.space.TargetModule;

/**
 * People's present way: one configuration after the other in a Python framework (Hugging Face transformers and PEFT).
 * The host starts thousands of kernels a step, which takes it {@code host} seconds however few the tokens; the device
 * takes what this engine takes, and the traffic of what the framework does not fuse. Both overlap in part:
 *
 * <pre>T = sqrt(host^2 + device^2)</pre>
 *
 * <p>fits steps of Qwen2.5-3B and 7B measured on an H100 between 64 and 8192 tokens with a mean error of 12% (8% with
 * the host seconds of that machine, 0.17).
 *
 * @param engine this engine on the same device
 * @param hostSeconds of a step, whatever its tokens
 */
public record PeftTime(RooflineTime engine, double hostSeconds) implements GroupTime {

    /**
     * Round and in favour of the present way: steps of 64 tokens took 166 ms (7B) to 189 ms (3B) where an H100 is the
     * device.
     */
    public static final double MEASURED_HOST_SECONDS = 0.150;

    /**
     * Passes over the inputs and outputs of every adapted module in float32, forward and backward: PEFT keeps adapters
     * in float32, converts each input, and scales, adds and converts each output on its own. Fitted to the measured
     * steps, which ask for 17 (3B) and 12 (7B).
     */
    private static final double UNFUSED_PASSES = 12;

    public PeftTime {
        if (!(hostSeconds >= 0)) {
            throw new IllegalArgumentException("hostSeconds (%s) must be zero or positive.".formatted(hostSeconds));
        }
    }

    /** With {@link #MEASURED_HOST_SECONDS}. */
    public PeftTime(RooflineTime engine) {
        this(engine, MEASURED_HOST_SECONDS);
    }

    @Override
    public double seconds(GroupWork work, int degree) {
        double device = engine.bound().seconds(work, degree)
                + unfusedBytes(work) / degree / engine.device().bytesPerSecond();
        return Math.sqrt(hostSeconds * hostSeconds + device * device);
    }

    private double unfusedBytes(GroupWork work) {
        double values = 0;
        for (TargetModule module : TargetModule.values()) {
            values += engine.model().inputs(module) + engine.model().outputs(module);
        }
        return UNFUSED_PASSES * Float.BYTES * values * engine.model().layers() * work.tokens();
    }
}
