package io.plora.examples.benchmark;

import com.google.common.math.Quantiles;
import com.google.common.util.concurrent.MoreExecutors;
import io.plora.adapter.PeftAdapter;
import io.plora.cost.ActivationPolicy;
import io.plora.data.Dataset;
import io.plora.kernels.Kernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.train.AdapterWeights;
import io.plora.train.PackedTrainer;
import io.plora.train.Training;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** A group whose members take a sample each an iteration, and in which the longest member is replaced now and then. */
final class ChangingGroup implements AutoCloseable {
    /** Iterations that a change can make slower: in the second passes are recorded again. */
    static final int SETTLING = 2;

    private static final double WARM_UP = 1.5e9; // nanoseconds, while the JVM compiles
    private static final int QUIET = 3; // iterations between two changes after these
    private static final Duration EXPORT_LIMIT = Duration.ofMinutes(1);
    private static final int MANY_EPOCHS = 1_000_000;

    private final ModelConfig model;
    private final Kernels kernels;
    private final int rank;
    private final Dataset data;
    private final PackedTrainer trainer;
    private final Deque<Training> members = new ArrayDeque<>();
    private final ExecutorService export = Executors.newSingleThreadExecutor();
    private int made;

    ChangingGroup(
            ModelConfig model, DecoderWeights weights, Kernels kernels, int rank, int tokens, ActivationPolicy policy) {
        this.model = model;
        this.kernels = kernels;
        this.rank = rank;
        this.data = new Dataset("random tokens", TrainingCase.samples(model, tokens), 0, 0);
        this.trainer = new PackedTrainer(model, weights, kernels, policy);
    }

    /**
     * Seconds of iterations without a change, what a change and the iterations after it take more, and how long it takes until
     * parameters of one that left are in host memory.
     */
    record Times(
            List<Double> iterations,
            List<Double> leaves,
            List<Double> joins,
            List<Double> replacements,
            List<Double> exports) {

        private Times() {
            this(new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        }
    }

    /** Measures changes of each kind in a group of so many members. */
    Times measure(int count, int changes) {
        for (int i = 0; i < count; i++) {
            join();
        }
        long start = System.nanoTime();
        do {
            change(new Times());
        } while (System.nanoTime() - start < WARM_UP);
        Times times = new Times();
        for (int i = 0; i < changes; i++) {
            change(times);
        }
        return times;
    }

    /** One change of each kind. */
    private void change(Times times) {
        List<CompletableFuture<Double>> exports = new ArrayList<>();
        double full = median(quiet());
        double replacement = seconds(() -> {
            exports.add(leave());
            join();
            settle();
        });
        times.iterations().addAll(quiet());
        double leave = seconds(() -> {
            exports.add(leave());
            settle();
        });
        double less = median(quiet());
        double join = seconds(() -> {
            join();
            settle();
        });
        times.replacements().add(replacement - SETTLING * full);
        times.leaves().add(leave - SETTLING * less);
        times.joins().add(join - SETTLING * full);
        exports.forEach(seconds -> times.exports().add(seconds.join()));
    }

    private void settle() {
        for (int i = 0; i < SETTLING; i++) {
            iterate();
        }
    }

    private List<Double> quiet() {
        return IntStream.range(0, QUIET).mapToObj(i -> seconds(this::iterate)).toList();
    }

    private static double median(List<Double> seconds) {
        return Quantiles.median().compute(seconds);
    }

    private static double seconds(Runnable work) {
        long start = System.nanoTime();
        work.run();
        return (System.nanoTime() - start) / 1e9;
    }

    private void join() {
        LoraConfig config = LoraConfig.builder()
                .withRank(rank)
                .withAlpha(rank)
                .withLearningRate(1e-4)
                .withSeed(made++)
                .build();
        Training training = new Training(
                AdapterWeights.initialize(model, config, kernels), data, MANY_EPOCHS, Training.Position.START);
        trainer.join(training);
        members.add(training);
    }

    /**
     * The member that has been in the group longest leaves, and its parameters are kept to be saved.
     *
     * @return seconds until they are in host memory
     */
    private CompletableFuture<Double> leave() {
        Training training = members.remove();
        long start = System.nanoTime();
        Supplier<PeftAdapter> adapter = training.weights().copy("model");
        trainer.leave(training);
        training.release();
        return CompletableFuture.supplyAsync(
                () -> {
                    adapter.get();
                    return (System.nanoTime() - start) / 1e9;
                },
                export);
    }

    private void iterate() {
        Map<Training, Integer> samples = new LinkedHashMap<>();
        members.forEach(member -> samples.put(member, 1));
        TrainingCase.requireFinite(trainer.step(samples));
    }

    @Override
    public void close() {
        if (!MoreExecutors.shutdownAndAwaitTermination(export, EXPORT_LIMIT)) {
            throw new IllegalStateException(
                    "Parameters of an adapter that left are not in host memory after (%s). Maybe the device hangs."
                            .formatted(EXPORT_LIMIT));
        }
        trainer.release();
        members.forEach(Training::release);
    }
}
