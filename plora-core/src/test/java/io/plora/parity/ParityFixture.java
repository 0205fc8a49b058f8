package io.plora.parity;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.plora.adapter.LoraMatrices;
import io.plora.adapter.ModuleKey;
import io.plora.data.Sample;
import io.plora.model.Safetensors;
import io.plora.space.LoraConfig;
import io.plora.space.LoraConfigJson;
import io.plora.space.TargetModule;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/** Reads what {@code peft_parity.py} wrote: {@code NAME.json.gz} and {@code NAME.safetensors} of each case. */
public final class ParityFixture {

    private static final String DESCRIPTION = ".json.gz";
    private static final JsonMapper MAPPER = new JsonMapper();

    private ParityFixture() {}

    /** Folder of the cases, of {@code tiny-llama} and of an adapter that PEFT saved. */
    public static Path bundled() {
        URL folder = ParityFixture.class.getResource("/parity");
        if (folder == null) {
            throw new IllegalStateException("There is no test resource (/parity).");
        }
        try {
            return Path.of(folder.toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** All cases of a folder, by name. */
    public static List<ParityCase> readAll(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(DESCRIPTION))
                    .map(name -> name.substring(0, name.length() - DESCRIPTION.length()))
                    .sorted()
                    .map(name -> read(folder, name))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** One case. */
    public static ParityCase read(Path folder, String name) {
        JsonNode description = description(folder.resolve(name + DESCRIPTION));
        LoraConfig config = LoraConfigJson.read(description.required("config"));
        try (Safetensors tensors = Safetensors.open(folder.resolve(name + ".safetensors"))) {
            SortedMap<ModuleKey, LoraMatrices> trained = matrices(tensors, "final.", config);
            return new ParityCase(
                    description.required("name").textValue(),
                    description.required("model").textValue(),
                    config,
                    description.required("warmup_steps").intValue(),
                    list(description.required("batches"), batch -> list(batch, ParityFixture::sample)),
                    list(description.required("steps"), ParityFixture::step),
                    initial(trained),
                    matrices(tensors, "gradient.", config),
                    trained,
                    new ParityLogits(
                            tensors.floats("logits.first"),
                            tensors.floats("logits.last"),
                            tensors.floats("logits.sampled"),
                            description.required("logits_stride").intValue()));
        }
    }

    private static JsonNode description(Path file) {
        try (InputStream input = new GZIPInputStream(Files.newInputStream(file))) {
            return MAPPER.readTree(input);
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": " + e.getMessage(), e);
        }
    }

    private static Sample sample(JsonNode json) {
        String mask = json.required("answer").textValue();
        boolean[] answer = new boolean[mask.length()];
        for (int i = 0; i < answer.length; i++) {
            answer[i] = mask.charAt(i) == '1';
        }
        int[] tokens = list(json.required("tokens"), JsonNode::intValue).stream()
                .mapToInt(Integer::intValue)
                .toArray();
        return new Sample(tokens, answer);
    }

    private static ParityStep step(JsonNode json) {
        double[] projections = list(json.required("projections"), JsonNode::doubleValue).stream()
                .mapToDouble(Double::doubleValue)
                .toArray();
        return new ParityStep(
                json.required("loss").doubleValue(),
                json.required("gradient_norm").doubleValue(),
                json.required("learning_rate").doubleValue(),
                projections);
    }

    /** A and B, or values of the same shapes, of every layer and target module. */
    private static SortedMap<ModuleKey, LoraMatrices> matrices(Safetensors tensors, String prefix, LoraConfig config) {
        SortedMap<ModuleKey, LoraMatrices> modules = new TreeMap<>();
        int tensorsLeft = (int)
                tensors.names().stream().filter(name -> name.startsWith(prefix)).count();
        for (int layer = 0; tensorsLeft > 0; layer++) {
            for (TargetModule target : config.targetModules()) {
                ModuleKey module = new ModuleKey(layer, target);
                String a = prefix + LoraVectors.key(module, 'A');
                String b = prefix + LoraVectors.key(module, 'B');
                int inputs = (int) tensors.info(a).shape()[1];
                int outputs = (int) tensors.info(b).shape()[0];
                modules.put(
                        module, new LoraMatrices(config.rank(), inputs, outputs, tensors.floats(a), tensors.floats(b)));
                tensorsLeft -= 2;
            }
        }
        return modules;
    }

    private static SortedMap<ModuleKey, LoraMatrices> initial(SortedMap<ModuleKey, LoraMatrices> shapes) {
        SortedMap<ModuleKey, LoraMatrices> modules = new TreeMap<>();
        shapes.forEach((module, shape) -> {
            int rank = shape.rank();
            float[] a = ParityNumbers.initialA(LoraVectors.key(module, 'A'), rank, shape.inputs());
            float[] b = ParityNumbers.initialB(LoraVectors.key(module, 'B'), shape.outputs(), rank);
            modules.put(module, new LoraMatrices(rank, shape.inputs(), shape.outputs(), a, b));
        });
        return modules;
    }

    private static <T> List<T> list(JsonNode array, Function<JsonNode, T> read) {
        List<T> values = new ArrayList<>(array.size());
        array.forEach(element -> values.add(read.apply(element)));
        return values;
    }
}
