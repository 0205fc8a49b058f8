package io.plora.plan;

import com.google.common.collect.ImmutableSortedMap;
import io.plora.cost.GroupTime;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What goes otherwise in a simulated sweep than the policy knows; the same for the same seed. */
public final class Disturbances {
    /** Everything goes as predicted. */
    public static final Disturbances NONE = builder().build();

    private final long seed;
    private final double noise;
    private final @Nullable GroupTime time;
    private final Map<Integer, Double> stragglers;
    private final SortedMap<Integer, Double> deviceFailures;
    private final Map<Integer, Stop> stops;

    /** A trial ends, with some of its samples done. */
    private record Stop(double fraction, EndReason reason) {
        boolean isReached(TrialState trial, int position) {
            long target = Math.max(1, (long) Math.ceil(fraction * trial.samplesTotal()));
            return trial.samplesDone() + position - trial.position() >= target;
        }
    }

    private Disturbances(Builder builder) {
        seed = builder.seed;
        noise = builder.noise;
        time = builder.time;
        stragglers = Map.copyOf(builder.stragglers);
        deviceFailures = ImmutableSortedMap.copyOf(builder.deviceFailures);
        stops = Map.copyOf(builder.stops);
    }

    public static Builder builder() {
        return new Builder();
    }

    /** When devices fail, in seconds. */
    SortedMap<Integer, Double> deviceFailures() {
        return deviceFailures;
    }

    /** Actual seconds of an iteration of the stretch that a group has begun. */
    double seconds(SweepState state, GroupState group, Stretch stretch) {
        GroupTime actual = time == null ? state.time() : time;
        return actual.seconds(stretch.work(), group.degree()) / state.speedOf(group.devices()) * slowdown(group);
    }

    private double slowdown(GroupState group) {
        double slowest = group.devices().stream()
                .mapToDouble(device -> stragglers.getOrDefault(device, 1.0))
                .max()
                .orElseThrow();
        if (noise == 0) {
            return slowest;
        }
        Random random = new Random(seed + 1_000_003L * group.id() + 7919L * group.iterations());
        return slowest * Math.exp(noise * random.nextGaussian());
    }

    /** Iterations of a stretch until a trial stops, or all. */
    int untilStop(SweepState state, GroupState group, Stretch stretch) {
        if (stops.isEmpty()) {
            return stretch.repeat();
        }
        StretchWalk walk = new StretchWalk(state, group, stretch);
        int iterations = 0;
        do {
            walk.next();
            iterations++;
        } while (iterations < stretch.repeat() && reached(state, walk).isEmpty());
        return iterations;
    }

    /** Trials that stop when a group has done so many more iterations. */
    Map<Integer, EndReason> stops(SweepState state, GroupState group, Stretch stretch, int iterations) {
        if (stops.isEmpty()) {
            return Map.of();
        }
        StretchWalk walk = new StretchWalk(state, group, stretch);
        for (int i = 0; i < iterations; i++) {
            walk.next();
        }
        return reached(state, walk);
    }

    private Map<Integer, EndReason> reached(SweepState state, StretchWalk walk) {
        Map<Integer, EndReason> reached = new HashMap<>();
        walk.positions().forEach((index, position) -> {
            Stop stop = stops.get(index);
            if (stop != null && stop.isReached(state.trial(index), position)) {
                reached.put(index, stop.reason());
            }
        });
        return reached;
    }

    /** Builds {@link Disturbances}. */
    public static final class Builder {
        private final Map<Integer, Double> stragglers = new TreeMap<>();
        private final Map<Integer, Double> deviceFailures = new TreeMap<>();
        private final Map<Integer, Stop> stops = new TreeMap<>();
        private long seed;
        private double noise;
        private @Nullable GroupTime time;

        private Builder() {}

        public Builder withSeed(long seed) {
            this.seed = seed;
            return this;
        }

        /**
         * Every stretch of iterations takes another time than predicted.
         *
         * @param deviation standard deviation of the logarithm of actual over predicted time, such as 0.2
         */
        public Builder withNoise(double deviation) {
            require(deviation >= 0 && deviation < 10, "Noise (%s) must be from 0 to 10.", deviation);
            noise = deviation;
            return this;
        }

        /**
         * Iterations take what another time model says than the one that the policy goes by.
         *
         * @param actual on devices of speed 1, without noise
         */
        public Builder withTime(GroupTime actual) {
            time = actual;
            return this;
        }

        /** A device is slower than predicted, such as by a factor of 1.5. */
        public Builder withStraggler(int device, double factor) {
            require(factor >= 1, "Slowdown (%s) must be at least 1.", factor);
            stragglers.put(device, factor);
            return this;
        }

        /** A device fails for good. */
        public Builder withDeviceFailure(int device, double seconds) {
            require(seconds >= 0, "A device cannot fail before the start (%s).", seconds);
            deviceFailures.put(device, seconds);
            return this;
        }

        /**
         * A trial ends early.
         *
         * @param fraction of its samples that it does, above 0 and below 1
         * @param reason any but {@link EndReason#COMPLETED}
         */
        public Builder withStop(int trial, double fraction, EndReason reason) {
            require(fraction > 0 && fraction < 1, "Fraction (%s) must be above 0 and below 1.", fraction);
            require(reason != EndReason.COMPLETED, "A trial that ends early is not (%s).", reason);
            stops.put(trial, new Stop(fraction, reason));
            return this;
        }

        public Disturbances build() {
            return new Disturbances(this);
        }

        private static void require(boolean valid, String message, Object value) {
            if (!valid) {
                throw new IllegalArgumentException(message.formatted(value));
            }
        }
    }
}
