package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.data.Sample;
import io.plora.space.LoraConfigJson;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** What {@code peft_quality.py} reads: the adapters that cases start from, and their batches of token ids. */
final class PeftStart {
    private PeftStart() {}

    /** Folder of the adapter that a case starts from. */
    static Path adapter(Path folder, QualityCase one) {
        return folder.resolve(one.name().replace(' ', '-'));
    }

    static void write(Path folder, List<Sample> samples, List<LossCurves.Curve> curves) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ArrayNode ofSamples = json.putArray("samples");
        samples.forEach(sample -> ofSamples.add(json(sample)));
        ArrayNode cases = json.putArray("cases");
        for (LossCurves.Curve curve : curves) {
            QualityCase one = curve.of();
            ObjectNode row = cases.addObject();
            row.put("case", one.name());
            row.put("adapter", adapter(folder, one).getFileName().toString());
            row.set("config", LoraConfigJson.write(one.config()));
            ArrayNode rates = row.putArray("learning_rates");
            Arrays.stream(curve.learningRates()).forEach(rates::add);
            ArrayNode batches = row.putArray("batches");
            one.batches(curve.losses().length, samples.size()).forEach(batch -> add(batch, batches.addArray()));
        }
        try {
            Files.writeString(folder.resolve("start.json"), json + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static ObjectNode json(Sample sample) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        add(sample.tokens(), json.putArray("tokens"));
        StringBuilder answer = new StringBuilder();
        for (boolean trained : sample.answer()) {
            answer.append(trained ? '1' : '0');
        }
        return json.put("answer", answer.toString());
    }

    private static void add(int[] values, ArrayNode to) {
        Arrays.stream(values).forEach(to::add);
    }
}
