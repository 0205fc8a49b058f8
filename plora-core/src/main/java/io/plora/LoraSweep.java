package io.plora;

import io.plora.cost.Calibration;
import io.plora.data.ChoiceData;
import io.plora.data.Dataset;
import io.plora.data.EncodingContext;
import io.plora.data.TooLong;
import io.plora.data.TrainingData;
import io.plora.execute.ComputeDevice;
import io.plora.execute.SweepExecutor;
import io.plora.execute.SweepSpec;
import io.plora.execute.Validation;
import io.plora.model.BaseModel;
import io.plora.plan.ContinuousPacking;
import io.plora.plan.MinGpu;
import io.plora.plan.PackingPolicy;
import io.plora.plan.PlanSimulator;
import io.plora.plan.SweepPlan;
import io.plora.report.SweepListeners;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A sweep over LoRA configurations on one frozen base model: many adapters train in one pass of the base model, and each ends
 * where it would have ended alone.
 *
 * <pre>{@code
 * SweepResult result = LoraSweep.builder()
 *         .withBaseModel(Path.of("models/tiny-qwen2"))
 *         .withTrainingData(TextData.jsonLines(Path.of("train.jsonl")).withPrompt("{question}\n").withAnswer("{answer}"))
 *         .withValidationData(TextData.jsonLines(Path.of("dev.jsonl")).withPrompt("{question}\n").withAnswer("{answer}"))
 *         .withSpace(SearchSpace.grid().rank(8, 16, 32).alphaOverRank(0.5, 1, 2).learningRate(1e-4, 4e-4).batchSize(1, 4))
 *         .withOutput(Path.of("sweep"))
 *         .build()
 *         .run();
 * Path adapter = result.best().adapter();
 * }</pre>
 *
 * <p>A sweep that was cancelled or died goes on where it was when it is built and run again with the same output folder; the
 * space may have grown meanwhile. An instance may be run several times.
 */
public final class LoraSweep {
    private final Builder settings;

    private LoraSweep(Builder settings) {
        this.settings = settings;
    }

    public static Builder builder() {
        return new Builder();
    }

    /**
     * What would be trained with whom, without training; beside it how long the baseline {@link MinGpu} would take, each
     * configuration alone. Times are those of training, without loading, evaluating and saving, at a nominal rate unless there is
     * a {@link Builder#withCalibration calibration}.
     *
     * @throws IllegalArgumentException if something about model, data or space is wrong, naming it
     */
    public SweepPlan plan() {
        try (BaseModel model = BaseModel.open(settings.baseModel())) {
            SweepSpec spec = settings.spec(model);
            SweepPlan plan = PlanSimulator.simulate(spec.policy(), spec.progress(spec.configs(), List.of()));
            return plan.comparedWith(PlanSimulator.simulate(new MinGpu(), spec.progress(spec.configs(), List.of())));
        }
    }

    /**
     * Runs the sweep to its end and waits for it. When the JVM is shut down meanwhile (Ctrl-C, SIGTERM), or this thread is
     * interrupted, the sweep is cancelled as by {@link SweepHandle#cancel}: iterations in progress end and what runs is saved
     * first. An interrupt stays set.
     *
     * @throws IllegalArgumentException if something about data, space or output folder is wrong, naming it
     * @throws io.plora.model.ModelFormatException if the model or the initial adapter cannot be used
     * @throws IllegalStateException if a device failed; trials that ended before are on record
     */
    public SweepResult run() {
        try (SweepHandle handle = start()) {
            Thread hook = new Thread(handle::close, "plora shutdown");
            Runtime.getRuntime().addShutdownHook(hook);
            try {
                handle.awaitOrCancel();
                return handle.await();
            } finally {
                removeHook(hook);
            }
        }
    }

    private static void removeHook(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // the JVM is shutting down: the hook is at work
            return;
        }
    }

    /** Starts the sweep in a thread of its own, which keeps the JVM alive; what {@link #run} throws, the handle tells. */
    public SweepHandle start() {
        Run run = new Run();
        CompletableFuture<SweepResult> result = new CompletableFuture<>();
        Thread thread = new Thread(() -> run.complete(result), "plora sweep");
        thread.start();
        return new SweepHandle(result, run::cancel);
    }

    /** One run; it can be cancelled before there is an executor to tell. */
    private final class Run {
        private @Nullable SweepExecutor executor;
        private boolean cancelled;

        private void complete(CompletableFuture<SweepResult> result) {
            try (BaseModel model = BaseModel.open(settings.baseModel())) {
                result.complete(executor(settings.spec(model)).run());
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        }

        private synchronized SweepExecutor executor(SweepSpec spec) {
            SweepExecutor created = new SweepExecutor(spec, new SweepListeners(settings.listeners));
            if (cancelled) {
                created.cancel();
            }
            executor = created;
            return created;
        }

        private synchronized void cancel() {
            cancelled = true;
            if (executor != null) {
                executor.cancel();
            }
        }
    }

    /** Builds a {@link LoraSweep}. Base model, training data, validation data or task, space and output must be set. */
    public static final class Builder {
        private static final int DEFAULT_MAX_LENGTH = 1024;

        private @Nullable Path baseModel;
        private @Nullable TrainingData trainingData;
        private @Nullable TrainingData validationData;
        private @Nullable ChoiceData validationTask;
        private @Nullable SearchSpace space;
        private @Nullable Path output;
        private @Nullable Path initialAdapter;
        private @Nullable Metric metric;
        private @Nullable PackingPolicy policy;
        private @Nullable Integer epochs;
        private @Nullable Integer maxLength;
        private @Nullable Integer tokenBudget;
        private @Nullable TooLong tooLong;
        private @Nullable Long seed;
        private @Nullable Duration checkpointInterval;
        private @Nullable Calibration calibration;
        private boolean measuredTimes;
        private final List<ComputeDevice> devices = new ArrayList<>();
        private final List<SweepListener> listeners = new ArrayList<>();

        private Builder() {}

        /** Folder of a model of the Llama or Qwen2 family in Hugging Face's layout. */
        public Builder withBaseModel(Path folder) {
            this.baseModel = once("withBaseModel", this.baseModel, folder);
            return this;
        }

        public Builder withTrainingData(TrainingData data) {
            this.trainingData = once("withTrainingData", this.trainingData, data);
            return this;
        }

        /** Samples that validation loss and perplexity are measured on. */
        public Builder withValidationData(TrainingData data) {
            this.validationData = once("withValidationData", this.validationData, data);
            return this;
        }

        /** Questions that accuracy, F1 and Matthews correlation are measured on. */
        public Builder withValidationTask(ChoiceData task) {
            this.validationTask = once("withValidationTask", this.validationTask, task);
            return this;
        }

        /** The configurations to train. */
        public Builder withSpace(SearchSpace space) {
            this.space = once("withSpace", this.space, space);
            return this;
        }

        /** Passes over the training data, 1 if this is not called; adapters are evaluated after each. */
        public Builder withEpochs(int epochs) {
            this.epochs = once("withEpochs", this.epochs, positive("epochs", epochs));
            return this;
        }

        /** Seed of initial weights, data order and dropout of every configuration that names none (that is, 0). */
        public Builder withSeed(long seed) {
            this.seed = once("withSeed", this.seed, seed);
            return this;
        }

        /** Folder for adapters, records and the journal; made if missing. It belongs to this sweep alone. */
        public Builder withOutput(Path folder) {
            this.output = once("withOutput", this.output, folder);
            return this;
        }

        /** What trials are ranked by: validation loss by default, accuracy where there is only a task. */
        public Builder withMetric(Metric metric) {
            this.metric = once("withMetric", this.metric, metric);
            return this;
        }

        /** Longest sample in tokens, 1,024 by default, and never more than the model takes. */
        public Builder withMaxLength(int tokens) {
            this.maxLength = once("withMaxLength", this.maxLength, positive("maxLength", tokens));
            return this;
        }

        /** What becomes of samples that are longer; they are refused by default. */
        public Builder withLongSamples(TooLong tooLong) {
            this.tooLong = once("withLongSamples", this.tooLong, tooLong);
            return this;
        }

        /**
         * Folder of a saved adapter that every trial starts from; its rank and target modules must be those of the space. A and
         * B are taken as they are, so another alpha scales what they add to the base model.
         */
        public Builder withInitialAdapter(Path folder) {
            this.initialAdapter = once("withInitialAdapter", this.initialAdapter, folder);
            return this;
        }

        /** Who trains with whom: continuous packing by default. */
        public Builder withPolicy(PackingPolicy policy) {
            this.policy = once("withPolicy", this.policy, policy);
            return this;
        }

        /** Adds a device to train on: the CPU by default. */
        public Builder withDevice(ComputeDevice device) {
            devices.add(device);
            return this;
        }

        /**
         * Most tokens of an iteration, by default as many as pay on the first device (2,048 on the CPU); a single sample may be
         * longer.
         */
        public Builder withTokenBudget(int tokens) {
            this.tokenBudget = once("withTokenBudget", this.tokenBudget, positive("tokenBudget", tokens));
            return this;
        }

        /** Longest time after which running trials are saved, 5 minutes by default. */
        public Builder withCheckpointInterval(Duration interval) {
            this.checkpointInterval = once("withCheckpointInterval", this.checkpointInterval, interval);
            return this;
        }

        /**
         * Corrects predicted times, so that {@link LoraSweep#plan} tells seconds and the policy goes by them. A sweep leaves the
         * calibration of its own iterations in its output folder: {@code Calibration.load(folder.resolve("calibration.json"))} is
         * good for sweeps on the same base model and machine.
         */
        public Builder withCalibration(Calibration calibration) {
            this.calibration = once("withCalibration", this.calibration, calibration);
            return this;
        }

        /**
         * Lets the policy go by what iterations of the run itself take: from the twentieth on, then whenever twice as many have
         * been measured. The journal tells when, and replays the decisions. Without it the same sweep has the same decisions, and
         * so the same results to the last bit; with it, decisions may differ from run to run, and results within rounding.
         */
        public Builder withMeasuredTimes() {
            measuredTimes = true;
            return this;
        }

        /** Adds someone who hears what the sweep does. */
        public Builder withListener(SweepListener listener) {
            listeners.add(listener);
            return this;
        }

        /**
         * Ends the building.
         *
         * @throws IllegalStateException if something that must be set is not
         */
        public LoraSweep build() {
            required("withBaseModel", baseModel);
            required("withTrainingData", trainingData);
            required("withSpace", space);
            required("withOutput", output);
            if (validationData == null && validationTask == null) {
                throw new IllegalStateException(
                        "A sweep needs something to rank its trials by. Maybe call withValidationData or withValidationTask.");
            }
            return new LoraSweep(copy());
        }

        /** So that this builder can go on without changing the sweep. */
        private Builder copy() {
            Builder copy = new Builder();
            copy.baseModel = baseModel;
            copy.trainingData = trainingData;
            copy.validationData = validationData;
            copy.validationTask = validationTask;
            copy.space = space;
            copy.output = output;
            copy.initialAdapter = initialAdapter;
            copy.metric = metric;
            copy.policy = policy;
            copy.epochs = epochs;
            copy.maxLength = maxLength;
            copy.tokenBudget = tokenBudget;
            copy.tooLong = tooLong;
            copy.seed = seed;
            copy.checkpointInterval = checkpointInterval;
            copy.calibration = calibration;
            copy.measuredTimes = measuredTimes;
            copy.devices.addAll(devices);
            copy.listeners.addAll(listeners);
            return copy;
        }

        private static <T> T once(String method, @Nullable T before, T value) {
            if (before != null) {
                throw new IllegalStateException(
                        "%s was called before, with (%s). Maybe remove one of the calls.".formatted(method, before));
            }
            return value;
        }

        private static int positive(String name, int value) {
            if (value < 1) {
                throw new IllegalArgumentException("%s (%d) must be at least 1.".formatted(name, value));
            }
            return value;
        }

        private static <T> T required(String method, @Nullable T value) {
            if (value == null) {
                throw new IllegalStateException("A sweep needs a call of %s.".formatted(method));
            }
            return value;
        }

        private static <T> T orElse(@Nullable T value, T other) {
            return value == null ? other : value;
        }

        private Path baseModel() {
            return required("withBaseModel", baseModel);
        }

        private SweepSpec spec(BaseModel model) {
            EncodingContext context =
                    EncodingContext.of(model, orElse(maxLength, DEFAULT_MAX_LENGTH), orElse(tooLong, TooLong.REFUSE));
            Dataset training = required("withTrainingData", trainingData).load(context);
            Validation validation = new Validation(
                    load(validationData, data -> data.load(context)),
                    load(validationTask, task -> task.questions(context)));
            return new SweepSpec(
                    model,
                    configs(),
                    training,
                    validation,
                    orElse(epochs, 1),
                    orElse(metric, validationData == null ? Metric.ACCURACY : Metric.VALIDATION_LOSS),
                    orElse(policy, new ContinuousPacking()),
                    devices.isEmpty() ? List.of(ComputeDevice.cpu()) : devices,
                    tokenBudget,
                    required("withOutput", output),
                    initialAdapter,
                    orElse(checkpointInterval, Duration.ofMinutes(5)),
                    calibration,
                    measuredTimes);
        }

        private static <D, T> @Nullable T load(@Nullable D data, Function<D, T> loader) {
            return data == null ? null : loader.apply(data);
        }

        private List<LoraConfig> configs() {
            long sweepSeed = orElse(seed, 0L);
            return required("withSpace", space).configs().stream()
                    .map(config -> config.seed() == 0
                            ? config.toBuilder().withSeed(sweepSeed).build()
                            : config)
                    .distinct()
                    .toList();
        }
    }
}
