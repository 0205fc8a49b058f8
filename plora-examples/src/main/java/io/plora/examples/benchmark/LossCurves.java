package io.plora.examples.benchmark;

import io.plora.data.Dataset;
import io.plora.data.EncodingContext;
import io.plora.data.TooLong;
import io.plora.examples.ExampleFiles;
import io.plora.execute.ComputeDevice;
import io.plora.kernels.Kernels;
import io.plora.model.BaseModel;
import io.plora.model.DecoderWeights;
import io.plora.train.AdapterWeights;
import io.plora.train.PackedTrainer;
import io.plora.train.StepReport;
import io.plora.train.Training;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The first steps of cases on GSM8K, trained in one pack. */
final class LossCurves {
    /** Of their rows. */
    static final String KIND = "losses";

    private final Dataset data;
    private final BaseModel model;
    private final Kernels kernels;
    private final List<QualityCase> cases;
    private final int steps;

    private LossCurves(BaseModel model, Kernels kernels, List<QualityCase> cases, int samples, int steps) {
        this.model = model;
        this.kernels = kernels;
        this.cases = cases;
        this.steps = steps;
        this.data = ExampleFiles.problems("train.jsonl")
                .withLimit(samples)
                .load(EncodingContext.of(model, model.config().maxPositions(), TooLong.REFUSE));
    }

    /**
     * What one case did.
     *
     * @param losses of each step's batch, per answer token, in nats
     * @param learningRates of each step
     */
    record Curve(QualityCase of, double[] losses, double[] learningRates) {}

    /** @param start folder for what PEFT needs to train the same; null if not wanted */
    static List<Curve> train(
            ComputeDevice device, List<QualityCase> cases, int samples, int steps, @Nullable Path start) {
        try (BaseModel model = BaseModel.open(ExampleFiles.model());
                Kernels kernels = device.open()) {
            return new LossCurves(model, kernels, cases, samples, steps).train(start);
        }
    }

    private List<Curve> train(@Nullable Path start) {
        DecoderWeights weights = DecoderWeights.load(model, kernels, data.longest());
        PackedTrainer trainer = new PackedTrainer(model.config(), weights, kernels);
        Map<Training, Curve> curves = new LinkedHashMap<>();
        for (QualityCase one : cases) {
            AdapterWeights adapter = AdapterWeights.initialize(model.config(), one.config(), kernels);
            if (start != null) {
                adapter.toPeftAdapter(ExampleFiles.model().toString()).save(PeftStart.adapter(start, one));
            }
            Training training = new Training(adapter, data, one.epochs(steps, data.size()), Training.Position.START);
            curves.put(training, new Curve(one, new double[steps], new double[steps]));
            trainer.join(training);
        }
        for (int step = 0; step < steps; step++) {
            step(trainer, curves, step);
        }
        List<Curve> made = new ArrayList<>(curves.values());
        if (start != null) {
            PeftStart.write(start, data.samples(), made);
        }
        return made;
    }

    private static void step(PackedTrainer trainer, Map<Training, Curve> curves, int step) {
        Map<Training, Integer> batches = new LinkedHashMap<>();
        trainer.members().forEach(member -> batches.put(member, member.batchRemaining()));
        for (StepReport.Member member : trainer.step(batches).members()) {
            Curve curve = curves.get(member.training());
            StepReport.Batch batch = member.batch();
            if (batch == null) {
                throw new IllegalStateException(
                        "Case (%s): %s".formatted(curve.of().name(), member.failure()));
            }
            curve.losses()[step] = batch.loss();
            curve.learningRates()[step] = batch.learningRate();
        }
    }
}
