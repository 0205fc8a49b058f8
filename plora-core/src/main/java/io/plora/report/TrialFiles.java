package io.plora.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.google.common.primitives.Bytes;
import io.plora.Trial;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files {@code trials.jsonl} and {@code trials.csv} of a sweep's folder: a line for each trial, on disk (fsync) when
 * {@link #append} returns. The JSON lines are what a sweep resumes from; the CSV, for spreadsheets, is written anew from
 * them on opening. A line counts once its line feed is there, so one that a crash cut short is dropped. If a configuration
 * was trained again, its later line replaces the earlier one.
 *
 * <p>Thread-safe.
 */
public final class TrialFiles {
    /** Name of the file of JSON lines. */
    public static final String JSON_LINES = "trials.jsonl";
    /** Name of the CSV file. */
    public static final String CSV = "trials.csv";

    private static final Logger LOGGER = LoggerFactory.getLogger(TrialFiles.class);

    private final Path folder;
    private final TrialJson json;
    private final TrialCsv csv;

    private TrialFiles(Path folder) {
        this.folder = folder;
        this.json = new TrialJson(folder);
        this.csv = new TrialCsv(folder);
    }

    /**
     * Makes folder and files ready to append to, where missing and where the last writing was cut short.
     *
     * @throws UncheckedIOException if the folder cannot be written to
     * @throws IllegalArgumentException as {@link #read}
     */
    public static TrialFiles open(Path folder) {
        TrialFiles files = new TrialFiles(folder);
        byte[] lines = wholeLines(folder.resolve(JSON_LINES));
        List<Trial> trials = files.parse(lines);
        try {
            Files.createDirectories(folder);
            DurableFile.cut(folder.resolve(JSON_LINES), lines.length);
            DurableFile.replace(folder.resolve(CSV), files.csvOf(trials));
            return files;
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "%s: cannot be written to (%s). Maybe choose another output folder.".formatted(folder, e), e);
        }
    }

    private String csvOf(List<Trial> trials) throws IOException {
        StringBuilder text = new StringBuilder(csv.header());
        for (Trial trial : trials) {
            text.append(csv.write(trial));
        }
        return text.toString();
    }

    /**
     * The trials on record in the folder, in the order of their first lines; none if it has no such file.
     *
     * @throws UncheckedIOException if the file cannot be read
     * @throws IllegalArgumentException if a line is not that of a trial
     */
    public static List<Trial> read(Path folder) {
        return new TrialFiles(folder).parse(wholeLines(folder.resolve(JSON_LINES)));
    }

    private List<Trial> parse(byte[] text) {
        List<String> lines = new String(text, StandardCharsets.UTF_8).lines().toList();
        Map<String, Trial> trials = new LinkedHashMap<>();
        for (int i = 0; i < lines.size(); i++) {
            Trial trial = parse(lines.get(i), i + 1);
            trials.put(trial.id(), trial);
        }
        return List.copyOf(trials.values());
    }

    private Trial parse(String line, int number) {
        try {
            return json.read(line);
        } catch (JsonProcessingException | IllegalArgumentException e) {
            String reason = e instanceof JsonProcessingException broken ? broken.getOriginalMessage() : e.getMessage();
            throw new IllegalArgumentException(
                    "%s: line (%d) is not the record of a trial: %s Maybe remove the line; its trial then runs again."
                            .formatted(folder.resolve(JSON_LINES), number, reason),
                    e);
        }
    }

    /** The file up to its last line feed; empty if there is no such file. */
    private static byte[] wholeLines(Path path) {
        if (!Files.exists(path)) {
            return new byte[0];
        }
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(path);
        } catch (IOException e) {
            throw new UncheckedIOException("%s: cannot be read (%s).".formatted(path, e), e);
        }
        int end = Bytes.lastIndexOf(bytes, (byte) '\n') + 1;
        if (end < bytes.length) {
            LOGGER.warn("{}: the last line was cut short and is left out.", path);
        }
        return Arrays.copyOf(bytes, end);
    }

    /**
     * Adds the trial to both files.
     *
     * @throws UncheckedIOException if a file cannot be written to, such as on a full disk
     */
    public synchronized void append(Trial trial) {
        try {
            DurableFile.append(folder.resolve(JSON_LINES), json.write(trial) + "\n");
            DurableFile.append(folder.resolve(CSV), csv.write(trial));
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "%s: trial (%s) could not be recorded (%s). Maybe the disk is full."
                            .formatted(folder, trial.id(), e),
                    e);
        }
    }
}
