package io.plora.execute;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import io.plora.data.ChoiceQuestion;
import io.plora.data.ChoiceSet;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.model.StrictJson;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A sweep's output folder: what it is the folder of, and where things lie in it. While it is open, no other process can open
 * it.
 *
 * <pre>
 * sweep.json            what defines the sweep; configurations may be added later, all else stays
 * trials.jsonl, .csv    a line for each trial that has ended
 * journal-N.jsonl       the policy's decisions in the N-th run
 * time.json             wall time of all runs
 * trials/ID/best        adapter at its best evaluation
 * trials/ID/last        adapter at the end
 * trials/ID/running     adapter and training state of a trial that has not ended
 * </pre>
 */
final class SweepFolder implements AutoCloseable {
    private static final String IDENTITY = "sweep.json";
    private static final String LOCK = ".lock";
    private static final String TIME = "time.json";

    private final Path folder;
    private final FileChannel lockFile;

    private SweepFolder(Path folder, FileChannel lockFile) {
        this.folder = folder;
        this.lockFile = lockFile;
    }

    /**
     * Opens the folder for a sweep; makes it if it is missing.
     *
     * @throws IllegalArgumentException if it holds something else, such as another sweep
     * @throws UncheckedIOException if it cannot be written to
     */
    static SweepFolder open(SweepSpec spec) {
        Path folder = spec.output();
        Map<String, String> identity = identity(spec);
        try {
            Files.createDirectories(folder);
            requireSame(folder, identity);
            FileChannel lockFile = lock(folder);
            Path file = folder.resolve(IDENTITY);
            if (!Files.exists(file)) {
                ObjectNode json = JsonNodeFactory.instance.objectNode();
                identity.forEach(json::put);
                StrictJson.writeObject(file, json);
            }
            return new SweepFolder(folder, lockFile);
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "Output folder (%s) cannot be written to (%s). Maybe choose another one.".formatted(folder, e), e);
        }
    }

    private static Map<String, String> identity(SweepSpec spec) {
        Map<String, String> identity = new LinkedHashMap<>();
        identity.put("baseModel", spec.base().name());
        identity.put("training", describe(spec.training()));
        Dataset samples = spec.validation().samples();
        identity.put("validation", samples == null ? "none" : describe(samples));
        ChoiceSet choices = spec.validation().choices();
        identity.put("validationTask", choices == null ? "none" : describe(choices));
        identity.put("epochs", Integer.toString(spec.epochs()));
        identity.put("metric", spec.metric().name());
        Path initial = spec.initialAdapter();
        identity.put("initialAdapter", initial == null ? "none" : initial.toString());
        return identity;
    }

    private static String describe(Dataset data) {
        Hasher hasher = Hashing.sha256().newHasher();
        for (Sample sample : data.samples()) {
            hasher.putInt(sample.length());
            for (int i = 0; i < sample.length(); i++) {
                hasher.putInt(sample.tokens()[i]).putBoolean(sample.answer()[i]);
            }
        }
        return describe(data.name(), data.size(), "samples", hasher);
    }

    private static String describe(ChoiceSet set) {
        Hasher hasher = Hashing.sha256().newHasher();
        for (ChoiceQuestion question : set.questions()) {
            hasher.putInt(question.label());
            Stream.concat(Stream.of(question.prompt()), question.candidates().stream())
                    .forEach(tokens -> {
                        hasher.putInt(tokens.length);
                        for (int token : tokens) {
                            hasher.putInt(token);
                        }
                    });
        }
        return describe(set.name(), set.size(), "questions", hasher);
    }

    private static String describe(String name, int size, String unit, Hasher content) {
        return "%s, %d %s, content %s"
                .formatted(name, size, unit, content.hash().toString().substring(0, 16));
    }

    private static void requireSame(Path folder, Map<String, String> identity) throws IOException {
        Path file = folder.resolve(IDENTITY);
        if (!Files.exists(file)) {
            requireEmpty(folder);
            return;
        }
        ObjectNode found = StrictJson.readObject(file);
        String differences = identity.keySet().stream()
                .filter(key -> !identity.get(key).equals(found.path(key).asText()))
                .map(key -> "%n  %s: there (%s), here (%s)"
                        .formatted(key, found.path(key).asText("nothing"), identity.get(key)))
                .collect(Collectors.joining());
        if (!differences.isEmpty()) {
            throw new IllegalArgumentException("Output folder (%s) holds another sweep:%s%nMaybe choose another folder."
                    .formatted(folder, differences));
        }
    }

    private static void requireEmpty(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            @Nullable Path entry = entries.filter(path -> !path.getFileName().toString().equals(LOCK))
                    .findFirst()
                    .orElse(null);
            if (entry != null) {
                throw new IllegalArgumentException(
                        "Output folder (%s) holds other files, such as (%s), and no sweep. Maybe choose an empty folder."
                                .formatted(folder, entry.getFileName()));
            }
        }
    }

    private static FileChannel lock(Path folder) throws IOException {
        FileChannel channel =
                FileChannel.open(folder.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            lock = null; // another sweep of this JVM
        }
        if (lock == null) {
            channel.close();
            throw new IllegalArgumentException(
                    "Output folder (%s) is in use by a running sweep. Maybe wait for it, or choose another folder."
                            .formatted(folder));
        }
        return channel;
    }

    Path path() {
        return folder;
    }

    /** Journal of a new run: each run of the sweep has one of its own. */
    Path nextJournal() {
        int run = 1;
        while (Files.exists(journal(run))) {
            run++;
        }
        return journal(run);
    }

    private Path journal(int run) {
        return folder.resolve("journal-%d.jsonl".formatted(run));
    }

    /** Wall time of all runs of the sweep so far. */
    double seconds() {
        Path file = folder.resolve(TIME);
        return Files.exists(file) ? StrictJson.readObject(file).path("seconds").asDouble() : 0;
    }

    void setSeconds(double seconds) {
        StrictJson.writeObject(
                folder.resolve(TIME), JsonNodeFactory.instance.objectNode().put("seconds", seconds));
    }

    Path trial(String id) {
        return folder.resolve("trials").resolve(id);
    }

    Path best(String id) {
        return trial(id).resolve("best");
    }

    Path last(String id) {
        return trial(id).resolve("last");
    }

    Path running(String id) {
        return trial(id).resolve("running");
    }

    @Override
    public void close() {
        try {
            lockFile.close();
        } catch (IOException e) {
            throw new UncheckedIOException("%s: could not be closed (%s).".formatted(folder, e), e);
        }
    }
}
