package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.examples.CommandLines;
import io.plora.examples.ExampleFiles;
import io.plora.execute.ComputeDevice;
import io.plora.space.LoraConfigJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Whether a device trains as another does, on the bundled model: losses of every step of a few trainings, packed, and rankings of
 * sweeps, from the same start on the same batches. Rows of kind {@code losses} and {@code ranking} are its own; where it is given
 * other systems' rows, among which there has to be one of every case, those of kind {@code ... difference} say how far its own
 * are from them, and how far they are from the CPU's ({@code device} is that of the system {@code of}).
 *
 * <p>Exit status 1 if its own losses differ by more than {@link QualityComparison#TOLERANCE} from anybody's, or
 * rank configurations in another order that differ clearly.
 */
@Command(
        name = "QualityBenchmark",
        mixinStandardHelpOptions = true,
        description = "Compares losses and rankings on a device with those on others and of PEFT.",
        sortOptions = false)
public final class QualityBenchmark implements Callable<Integer> {
    private static final String REFERENCE = "plora CPU float32";

    @Option(names = "--device", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE})")
    private BenchmarkDevice device = BenchmarkDevice.CUDA;

    @Option(names = "--steps", description = "of the trainings whose losses are compared (default: ${DEFAULT-VALUE})")
    private int steps = 100;

    @Option(names = "--samples", description = "most that are trained or validated on (default: ${DEFAULT-VALUE})")
    private int samples = 400;

    @Option(
            names = "--cola",
            description = "folder with in_domain_train.tsv and in_domain_dev.tsv of CoLA, for one more sweep")
    private @Nullable Path cola;

    @Option(names = "--start", description = "folder to write what peft_quality.py needs to train the same")
    private @Nullable Path start;

    @Option(
            names = "--compare-with",
            split = ",",
            description = "files with other systems' rows of all cases (default: none)")
    private List<Path> compareWith = List.of();

    @Mixin
    private ResultRows results = new ResultRows("quality-h100.jsonl");

    public static void main(String[] arguments) {
        CommandLines.main(new QualityBenchmark(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        List<JsonNode> others = new ArrayList<>();
        for (Path file : compareWith) {
            others.addAll(rows(file));
        }
        if (!compareWith.isEmpty()) {
            QualityCase.all().forEach(one -> requireSameCase(others, LossCurves.KIND, one.name()));
            sweeps().forEach(sweep -> requireSameCase(others, RankingSweep.KIND, sweep.name()));
        }
        List<ObjectNode> ours = measure(device.open());
        boolean met = true;
        for (ObjectNode row : ours) {
            for (JsonNode other : sameCase(others, row)) {
                met &= compare(row, other);
            }
        }
        comparePeers(others, ours);
        return met ? 0 : 1;
    }

    private List<ObjectNode> measure(ComputeDevice on) throws IOException {
        List<ObjectNode> rows = new ArrayList<>();
        for (LossCurves.Curve curve : LossCurves.train(on, QualityCase.all(), samples, steps, start)) {
            rows.add(add(row(curve), on));
        }
        for (RankingSweep sweep : sweeps()) {
            rows.add(add(sweep.run(on), on));
        }
        return rows;
    }

    private List<RankingSweep> sweeps() {
        List<RankingSweep> sweeps = new ArrayList<>();
        sweeps.add(RankingSweep.gsm8k(samples));
        Path bundled = ExampleFiles.find("data/acceptability");
        sweeps.add(RankingSweep.judgements(
                "acceptability", bundled.resolve("train.tsv"), bundled.resolve("dev.tsv"), samples));
        if (cola != null) {
            sweeps.add(RankingSweep.judgements(
                    "cola", cola.resolve("in_domain_train.tsv"), cola.resolve("in_domain_dev.tsv"), samples));
        }
        return sweeps;
    }

    static ObjectNode row(LossCurves.Curve curve) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("bench", "quality");
        row.put("kind", LossCurves.KIND);
        row.put("case", curve.of().name());
        row.set("config", LoraConfigJson.write(curve.of().config()));
        ArrayNode losses = row.putArray("losses");
        Arrays.stream(curve.losses()).map(QualityComparison::rounded).forEach(losses::add);
        return row;
    }

    private ObjectNode add(ObjectNode row, ComputeDevice on) throws IOException {
        row.put("system", device == BenchmarkDevice.CPU ? REFERENCE : "plora CUDA bf16");
        results.add(row, on);
        return row;
    }

    private boolean compare(JsonNode row, JsonNode other) throws IOException {
        ObjectNode difference = QualityComparison.compare(row, other);
        results.add(difference);
        return difference.path("met").asBoolean();
    }

    /** The others' spread, to judge ours by. */
    private void comparePeers(List<JsonNode> others, List<ObjectNode> ours) throws IOException {
        for (ObjectNode row : ours) {
            List<JsonNode> peers = sameCase(others, row);
            for (JsonNode reference : peers) {
                if (reference.path("system").asText().equals(REFERENCE)) {
                    for (JsonNode peer : peers) {
                        if (peer != reference) {
                            compare(peer, reference);
                        }
                    }
                }
            }
        }
    }

    /** Checked before training, which takes long. */
    private void requireSameCase(List<JsonNode> others, String kind, String name) {
        if (sameCase(others, kind, name).isEmpty()) {
            throw new IllegalArgumentException(
                    "There is no row of kind (%s) and case (%s) in %s to compare with. Maybe give more files with --compare-with."
                            .formatted(kind, name, compareWith));
        }
    }

    private static List<JsonNode> sameCase(List<JsonNode> rows, JsonNode as) {
        return sameCase(rows, as.path("kind").asText(), as.path("case").asText());
    }

    private static List<JsonNode> sameCase(List<JsonNode> rows, String kind, String name) {
        return rows.stream()
                .filter(row -> row.path("kind").asText().equals(kind)
                        && row.path("case").asText().equals(name))
                .toList();
    }

    private static List<JsonNode> rows(Path file) throws IOException {
        JsonMapper mapper = new JsonMapper();
        List<JsonNode> rows = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            rows.add(mapper.readTree(line));
        }
        return rows;
    }
}
