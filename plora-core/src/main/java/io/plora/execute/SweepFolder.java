package io.plora.execute;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import com.google.common.primitives.Floats;
import io.plora.adapter.PeftAdapter;
import io.plora.data.ChoiceQuestion;
import io.plora.data.ChoiceSet;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.model.BaseModel;
import io.plora.model.Checkpoint;
import io.plora.model.StrictJson;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A sweep's output folder: what it is the folder of, and where things lie in it. While it is open, nobody else can open it.
 *
 * <pre>
 * sweep.json            what defines the sweep; configurations may be added later, all else stays
 * trials.jsonl, .csv    a line for each trial that has ended
 * journal-N.jsonl       the policy's decisions in the N-th run
 * time.json             wall time of all runs
 * calibration.json      how iterations of the last run compare with the time model's
 * trials/ID/best        adapter at its best evaluation
 * trials/ID/last        adapter at the end
 * trials/ID/running     a trial that has not ended: its adapter with the training state, and what it has reached
 * </pre>
 */
final class SweepFolder implements AutoCloseable {
    private static final String IDENTITY = "sweep.json";
    private static final String LOCK = ".lock";
    private static final String TIME = "time.json";
    private static final String CALIBRATION = "calibration.json";
    private static final String NONE = "none";

    private final Path folder;
    private final FileChannel lockFile;

    private SweepFolder(Path folder, FileChannel lockFile) {
        this.folder = folder;
        this.lockFile = lockFile;
    }

    /**
     * Opens the folder for a sweep; makes it if it is missing.
     *
     * @param initial what every trial starts from; null for a new adapter each
     * @throws IllegalArgumentException if it holds something else, such as another sweep, or is in use
     * @throws UncheckedIOException if it cannot be written to
     */
    static SweepFolder open(SweepSpec spec, @Nullable PeftAdapter initial) {
        Path folder = spec.output();
        Map<String, String> identity = identity(spec, initial);
        if (Files.exists(folder) && !Files.isDirectory(folder)) {
            throw new IllegalArgumentException(
                    "Output folder (%s) is a file. Maybe choose another name.".formatted(folder));
        }
        try {
            Files.createDirectories(folder);
            requireSame(folder, identity); // before anything is written into somebody else's folder
            FileChannel lockFile = lock(folder);
            try {
                requireSame(folder, identity); // another sweep may have come first
                writeIfMissing(folder.resolve(IDENTITY), identity);
            } catch (IOException | RuntimeException e) {
                lockFile.close();
                throw e;
            }
            return new SweepFolder(folder, lockFile);
        } catch (IOException | UncheckedIOException e) {
            IOException cause = e instanceof UncheckedIOException unchecked ? unchecked.getCause() : (IOException) e;
            throw new UncheckedIOException(
                    "Output folder (%s) cannot be written to (%s). Maybe choose another one.".formatted(folder, cause),
                    cause);
        }
    }

    private static void writeIfMissing(Path file, Map<String, String> identity) {
        if (!Files.exists(file)) {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            identity.forEach(json::put);
            StrictJson.writeObject(file, json);
        }
    }

    /** Goes by what data, model and adapter hold, not by where they lie. */
    private static Map<String, String> identity(SweepSpec spec, @Nullable PeftAdapter initial) {
        Map<String, String> identity = new LinkedHashMap<>();
        identity.put("base_model", describe(spec.base()));
        identity.put("training", describe(spec.training()));
        Dataset samples = spec.validation().samples();
        identity.put("validation", samples == null ? NONE : describe(samples));
        ChoiceSet choices = spec.validation().choices();
        identity.put("validation_task", choices == null ? NONE : describe(choices));
        identity.put("epochs", Integer.toString(spec.epochs()));
        identity.put("metric", spec.metric().name());
        identity.put("initial_adapter", initial == null ? NONE : describe(initial));
        return identity;
    }

    /** By the beginning of each tensor: reading all of a large model would take long. */
    private static String describe(BaseModel model) {
        Hasher hasher = Hashing.sha256().newHasher();
        hasher.putUnencodedChars(model.config().toString());
        Checkpoint checkpoint = model.checkpoint();
        for (String name : new TreeSet<>(checkpoint.names())) {
            ByteBuffer bytes = checkpoint.bytes(
                    name, 0, (int) Math.min(4096, checkpoint.info(name).bytes()));
            hasher.putUnencodedChars(name).putBytes(bytes);
        }
        return describe(model.name(), hasher);
    }

    private static String describe(PeftAdapter adapter) {
        Hasher hasher = Hashing.sha256().newHasher();
        adapter.modules().forEach((key, matrices) -> {
            hasher.putUnencodedChars(key.path());
            for (float value : Floats.concat(matrices.a(), matrices.b())) {
                hasher.putFloat(value);
            }
        });
        return describe("rank " + adapter.config().rank(), hasher);
    }

    private static String describe(Dataset data) {
        Hasher hasher = Hashing.sha256().newHasher();
        for (Sample sample : data.samples()) {
            hasher.putInt(sample.length());
            for (int i = 0; i < sample.length(); i++) {
                hasher.putInt(sample.tokens()[i]).putBoolean(sample.answer()[i]);
            }
        }
        return describe(data.size() + " samples", hasher);
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
        return describe(set.size() + " questions", hasher);
    }

    private static String describe(String what, Hasher content) {
        return "%s, content %s".formatted(what, content.hash().toString().substring(0, 16));
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

    Path calibration() {
        return folder.resolve(CALIBRATION);
    }

    private Path trial(String id) {
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
