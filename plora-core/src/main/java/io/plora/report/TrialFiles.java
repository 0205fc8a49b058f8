package io.plora.report;

import com.fasterxml.jackson.core.JsonProcessingException;
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
public final class TrialFiles implements AutoCloseable {
    /** Name of the file of JSON lines. */
    public static final String JSON_LINES = "trials.jsonl";
    /** Name of the CSV file. */
    public static final String CSV = "trials.csv";

    private static final Logger LOGGER = LoggerFactory.getLogger(TrialFiles.class);

    private final Path folder;
    private final TrialJson json;
    private final TrialCsv csv;
    private final AppendedFile jsonFile;
    private final AppendedFile csvFile;

    private TrialFiles(Path folder, AppendedFile jsonFile, AppendedFile csvFile) {
        this.folder = folder;
        this.json = new TrialJson(folder);
        this.csv = new TrialCsv(folder);
        this.jsonFile = jsonFile;
        this.csvFile = csvFile;
    }

    /**
     * Opens the files to append to; makes folder and files where missing.
     *
     * @throws UncheckedIOException if the folder cannot be written to
     * @throws IllegalArgumentException as {@link #read}
     */
    public static TrialFiles open(Path folder) {
        List<Trial> trials = read(folder);
        Path jsonPath = folder.resolve(JSON_LINES);
        try {
            Files.createDirectories(folder);
            byte[] whole = Files.exists(jsonPath) ? wholeLines(jsonPath) : new byte[0];
            AppendedFile jsonFile = AppendedFile.open(jsonPath, whole.length);
            AppendedFile csvFile = AppendedFile.open(folder.resolve(CSV), 0);
            TrialFiles files = new TrialFiles(folder, jsonFile, csvFile);
            csvFile.append(files.csvOf(trials));
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
        Path path = folder.resolve(JSON_LINES);
        if (!Files.exists(path)) {
            return List.of();
        }
        List<String> lines;
        try {
            lines = new String(wholeLines(path), StandardCharsets.UTF_8).lines().toList();
        } catch (IOException e) {
            throw new UncheckedIOException("%s: cannot be read (%s).".formatted(path, e), e);
        }
        TrialJson json = new TrialJson(folder);
        Map<String, Trial> trials = new LinkedHashMap<>();
        for (int i = 0; i < lines.size(); i++) {
            Trial trial = parse(json, lines.get(i), path, i + 1);
            trials.put(trial.id(), trial);
        }
        return List.copyOf(trials.values());
    }

    private static Trial parse(TrialJson json, String line, Path path, int number) {
        try {
            return json.read(line);
        } catch (JsonProcessingException | IllegalArgumentException e) {
            String reason = e instanceof JsonProcessingException broken ? broken.getOriginalMessage() : e.getMessage();
            throw new IllegalArgumentException(
                    "%s: line (%d) is not the record of a trial: %s Maybe remove the line; its trial then runs again."
                            .formatted(path, number, reason),
                    e);
        }
    }

    private static byte[] wholeLines(Path path) throws IOException {
        byte[] bytes = Files.readAllBytes(path);
        int end = bytes.length;
        while (end > 0 && bytes[end - 1] != '\n') {
            end--;
        }
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
            jsonFile.append(json.write(trial) + "\n");
            csvFile.append(csv.write(trial));
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "%s: trial (%s) could not be recorded (%s). Maybe the disk is full."
                            .formatted(folder.resolve(JSON_LINES), trial.id(), e),
                    e);
        }
    }

    @Override
    public synchronized void close() {
        try (jsonFile;
                csvFile) {
            LOGGER.debug("{}: closed.", folder);
        } catch (IOException e) {
            throw new UncheckedIOException("%s: could not be closed (%s).".formatted(folder, e), e);
        }
    }
}
