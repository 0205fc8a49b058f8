package io.plora;

import io.plora.space.LoraConfig;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What became of one configuration of a sweep.
 *
 * @param config what was trained
 * @param status how it ended
 * @param last evaluation after the last epoch; null without validation data or if none was reached
 * @param best evaluation with the best value of the sweep's metric; null as above
 * @param trainingLoss mean loss of an answer token in the last optimizer step; NaN before the first step
 * @param steps optimizer steps taken
 * @param tokens tokens trained on
 * @param seconds wall time between joining and leaving its group, which it shared with others
 * @param lastAdapter folder of the adapter as it ended, in PEFT's format; null if none was saved
 * @param bestAdapter folder of the adapter as it was at the best evaluation; null if none was saved
 * @param failure why it failed; null unless {@link Status#FAILED}
 */
public record Trial(
        LoraConfig config,
        Status status,
        @Nullable Evaluation last,
        @Nullable Evaluation best,
        double trainingLoss,
        long steps,
        long tokens,
        double seconds,
        @Nullable Path lastAdapter,
        @Nullable Path bestAdapter,
        @Nullable String failure) {

    /** How a trial ended, in the order of a ranking. */
    public enum Status {
        /** Trained as long as the sweep asked for. */
        FINISHED,
        /** Ended early because the sweep was cancelled. */
        CANCELLED,
        /** Ended by an error, see {@link Trial#failure()}. */
        FAILED
    }

    public Trial {
        if ((status == Status.FAILED) != (failure != null)) {
            throw new IllegalArgumentException(
                    "Trial (%s) is (%s) with failure message (%s): a message goes with FAILED and with nothing else."
                            .formatted(config.id(), status, failure));
        }
    }

    /** The configuration's {@link LoraConfig#id()}. */
    public String id() {
        return config.id();
    }

    /** The evaluation that speaks for this trial: the best, or the last if no best is known. */
    public @Nullable Evaluation evaluation() {
        return best != null ? best : last;
    }

    /** The metric's value in {@link #evaluation()}, NaN if it was not measured. */
    public double value(Metric metric) {
        Evaluation evaluation = evaluation();
        return evaluation == null ? Double.NaN : evaluation.value(metric);
    }

    /** Whether {@link #adapter()} has something to return. */
    public boolean hasAdapter() {
        return bestAdapter != null || lastAdapter != null;
    }

    /**
     * Folder of the adapter that PEFT and vLLM load: the best checkpoint, or the last one without validation.
     *
     * @throws IllegalStateException if the trial saved none
     */
    public Path adapter() {
        if (bestAdapter != null) {
            return bestAdapter;
        }
        if (lastAdapter != null) {
            return lastAdapter;
        }
        throw new IllegalStateException("Trial (%s) has no adapter: it is (%s)%s."
                .formatted(id(), status, failure == null ? "" : ", " + failure));
    }

    public static Builder builder(LoraConfig config, Status status) {
        return new Builder(config, status);
    }

    /** Builds a {@link Trial} that so far was not trained at all. */
    public static final class Builder {
        private final LoraConfig config;
        private final Status status;
        private @Nullable Evaluation last;
        private @Nullable Evaluation best;
        private double trainingLoss = Double.NaN;
        private long steps;
        private long tokens;
        private double seconds;
        private @Nullable Path lastAdapter;
        private @Nullable Path bestAdapter;
        private @Nullable String failure;

        private Builder(LoraConfig config, Status status) {
            this.config = config;
            this.status = status;
        }

        public Builder withLast(@Nullable Evaluation last) {
            this.last = last;
            return this;
        }

        public Builder withBest(@Nullable Evaluation best) {
            this.best = best;
            return this;
        }

        public Builder withTrainingLoss(double trainingLoss) {
            this.trainingLoss = trainingLoss;
            return this;
        }

        public Builder withSteps(long steps) {
            this.steps = steps;
            return this;
        }

        public Builder withTokens(long tokens) {
            this.tokens = tokens;
            return this;
        }

        public Builder withSeconds(double seconds) {
            this.seconds = seconds;
            return this;
        }

        public Builder withLastAdapter(@Nullable Path lastAdapter) {
            this.lastAdapter = lastAdapter;
            return this;
        }

        public Builder withBestAdapter(@Nullable Path bestAdapter) {
            this.bestAdapter = bestAdapter;
            return this;
        }

        public Builder withFailure(@Nullable String failure) {
            this.failure = failure;
            return this;
        }

        public Trial build() {
            return new Trial(
                    config,
                    status,
                    last,
                    best,
                    trainingLoss,
                    steps,
                    tokens,
                    seconds,
                    lastAdapter,
                    bestAdapter,
                    failure);
        }
    }
}
