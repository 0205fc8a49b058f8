package io.plora.examples.benchmark;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.plora.LoraSweep;
import io.plora.Metric;
import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.cost.MemoryModel;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.data.TrainingData;
import io.plora.execute.ComputeDevice;
import io.plora.execute.Journal;
import io.plora.execute.JournalEntry;
import io.plora.execute.SweepSpec;
import io.plora.execute.Validation;
import io.plora.model.BaseModel;
import io.plora.model.ModelConfig;
import io.plora.plan.PackingPolicy;
import io.plora.plan.PlanSimulator;
import io.plora.plan.SweepPlan;
import io.plora.plan.SweepProgress;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A whole sweep as a user runs it: one epoch of every configuration, with adapters saved and each evaluated once, on one sample.
 *
 * @param model folder
 * @param samples to train on
 * @param scratch folder that a run's output lies in until it is over
 */
record LiveSweep(Path model, List<LoraConfig> configs, List<Sample> samples, ComputeDevice device, Path scratch) {

    /** Of these the first is for validation: a sweep needs something to rank by. */
    static final int VALIDATION_SAMPLES = 1;

    /**
     * What came of a run.
     *
     * @param seconds from the call to the result: base model loaded, all adapters trained, evaluated and saved
     * @param secondsToFirstStep of these before the first iteration began: loading and the first adapters
     * @param iterationSeconds of these in iterations: forward, backward, optimizer
     * @param iterations of all groups
     * @param steps of all optimizers
     * @param tokens of all iterations
     * @param adaptersTogether of an iteration, on average
     * @param mostTogether adapters of the iteration that has most
     * @param adapterBytes saved, of all adapters
     */
    record Outcome(
            double seconds,
            double secondsToFirstStep,
            double iterationSeconds,
            long iterations,
            long steps,
            long tokens,
            double adaptersTogether,
            int mostTogether,
            long adapterBytes) {

        /**
         * Seconds of a sweep of which the run was a part, one configuration after the other: the base model is loaded once.
         *
         * @param share of the configurations that the run trained
         */
        double secondsOfWhole(double share) {
            return secondsToFirstStep + (seconds - secondsToFirstStep) / share;
        }
    }

    private static final class Clock implements SweepListener {
        private final long start = System.nanoTime();
        private double toFirstStep;
        private double iterationSeconds;
        private long iterations;

        @Override
        public void stepCompleted(StepEvent event) {
            if (iterations == 0) {
                toFirstStep = seconds() - event.seconds();
            }
            iterationSeconds += event.seconds();
            iterations++;
        }

        private double seconds() {
            return (System.nanoTime() - start) / 1e9;
        }
    }

    /** A shorter one: a configuration of each batch size, the first samples. */
    LiveSweep shortened(int fewer) {
        List<LoraConfig> some = List.copyOf(configs.stream()
                .collect(Collectors.toMap(
                        LoraConfig::batchSize, config -> config, (first, other) -> first, TreeMap::new))
                .values());
        return new LiveSweep(model, some, samples.subList(0, Math.min(fewer, samples.size())), device, scratch);
    }

    /**
     * One configuration of each kind. Another alpha, learning rate or seed makes no difference to the time that it takes alone.
     *
     * @throws IllegalStateException if there is not the same number of each
     */
    LiveSweep oneOfEach() {
        Map<LoraConfig, List<LoraConfig>> kinds = configs.stream()
                .collect(Collectors.groupingBy(LiveSweep::kind, LinkedHashMap::new, Collectors.toList()));
        if (kinds.values().stream().mapToInt(List::size).distinct().count() > 1) {
            throw new IllegalStateException(
                    "There are not as many configurations of each kind, which differ in more than alpha, learning rate and seed: (%s). Maybe leave --alone-one-of-each out."
                            .formatted(kinds.values().stream().map(List::size).toList()));
        }
        return new LiveSweep(
                model, kinds.values().stream().map(kind -> kind.get(0)).toList(), samples, device, scratch);
    }

    private static LoraConfig kind(LoraConfig config) {
        return config.toBuilder().withAlpha(1).withLearningRate(1).withSeed(0).build();
    }

    double meanTokens() {
        return samples.stream().mapToInt(Sample::rows).average().orElseThrow();
    }

    /** Of the tokenizer that made the samples. */
    int vocabularySize() {
        try (BaseModel base = BaseModel.open(model)) {
            return base.tokenizer().vocabularySize();
        }
    }

    /** Of the base model. */
    long parameters() {
        return MemoryModel.baseParameters(ModelConfig.read(model));
    }

    /**
     * Runs it to its end and deletes what it wrote.
     *
     * @throws IllegalStateException if a trial failed: the others then had less to do
     */
    Outcome run(PackingPolicy policy) throws IOException {
        Path output = Files.createTempDirectory(scratch, "plora-sweep");
        try {
            Clock clock = new Clock();
            SweepResult result =
                    sweep(policy).withOutput(output).withListener(clock).build().run();
            double seconds = clock.seconds();
            requireAllFinished(result);
            List<Integer> together = together(output.resolve("journal-1.jsonl"));
            return new Outcome(
                    seconds,
                    clock.toFirstStep,
                    clock.iterationSeconds,
                    clock.iterations,
                    result.steps(),
                    result.tokens(),
                    together.stream().mapToInt(count -> count).average().orElseThrow(),
                    together.stream().mapToInt(count -> count).max().orElseThrow(),
                    bytes(result));
        } finally {
            MoreFiles.deleteRecursively(output, RecursiveDeleteOption.ALLOW_INSECURE);
        }
    }

    /** Seconds that the policy's plan takes by the time model: iterations alone. */
    double planned(PackingPolicy policy) {
        return sweep(policy)
                .withOutput(scratch.resolve("planned"))
                .build()
                .plan()
                .makespan();
    }

    /** Plans without training and writes the plan down, as a journal to replay. */
    SweepPlan savePlan(PackingPolicy policy, Path file) {
        try (BaseModel base = BaseModel.open(model);
                Journal journal = Journal.create(file, policy.name(), configs)) {
            SweepSpec spec = new SweepSpec(
                    base,
                    configs,
                    dataset(samples),
                    new Validation(dataset(samples.subList(0, VALIDATION_SAMPLES)), null),
                    1,
                    Metric.VALIDATION_LOSS,
                    policy,
                    List.of(device),
                    null,
                    scratch,
                    null,
                    Duration.ofDays(1),
                    null,
                    false);
            SweepProgress progress = spec.progress(configs, List.of());
            progress.observe(journal);
            return PlanSimulator.simulate(policy, progress);
        }
    }

    private static Dataset dataset(List<Sample> samples) {
        return new Dataset("samples", samples, 0, 0);
    }

    private LoraSweep.Builder sweep(PackingPolicy policy) {
        return LoraSweep.builder()
                .withBaseModel(model)
                .withTrainingData(TrainingData.ofSamples(samples))
                .withValidationData(TrainingData.ofSamples(samples.subList(0, VALIDATION_SAMPLES)))
                .withSpace(SearchSpace.of(configs))
                .withPolicy(policy)
                .withDevice(device);
    }

    private void requireAllFinished(SweepResult result) {
        for (Trial trial : result.ranking()) {
            if (trial.status() != Trial.Status.FINISHED) {
                throw new IllegalStateException(
                        "Trial (%s) ended as (%s): %s Maybe use lower learning rates; a sweep that trains less is no measurement."
                                .formatted(trial.id(), trial.status(), trial.failure()));
            }
        }
        if (result.ranking().size() != configs.size()) {
            throw new IllegalStateException("(%d) of (%d) configurations were trained. Maybe some are the same."
                    .formatted(result.ranking().size(), configs.size()));
        }
    }

    /** How many adapters each iteration had. */
    private static List<Integer> together(Path journal) {
        return Journal.read(journal).entries().stream()
                .filter(JournalEntry.Finished.class::isInstance)
                .map(entry -> ((JournalEntry.Finished) entry).samples().size())
                .toList();
    }

    private static long bytes(SweepResult result) throws IOException {
        long bytes = 0;
        for (Trial trial : result.ranking()) {
            try (Stream<Path> files = Files.list(trial.adapter())) {
                for (Path file : files.toList()) {
                    bytes += Files.size(file);
                }
            }
        }
        return bytes;
    }
}
