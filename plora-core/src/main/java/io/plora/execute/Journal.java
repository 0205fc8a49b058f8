package io.plora.execute;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.google.common.collect.ImmutableList;
import io.plora.cost.Calibration;
import io.plora.plan.Decision;
import io.plora.plan.EndReason;
import io.plora.plan.GroupState;
import io.plora.plan.SweepObserver;
import io.plora.plan.SweepState;
import io.plora.plan.TrialState;
import io.plora.space.LoraConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The decisions and events of a sweep, a JSON object a line, each written out before it takes effect. {@link ReplayPolicy}
 * runs the sweep again from it.
 */
public final class Journal implements SweepObserver, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Journal.class);
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .build();

    private final Path file;
    private final Writer writer;
    private int decisions;

    private Journal(Path file, Writer writer) {
        this.file = file;
        this.writer = writer;
    }

    /**
     * Begins a journal.
     *
     * @param policy name of the policy
     * @param configs of the trials, by index
     * @throws UncheckedIOException if the file exists or cannot be written
     */
    public static Journal create(Path file, String policy, List<LoraConfig> configs) {
        try {
            Journal journal = new Journal(
                    file, Files.newBufferedWriter(file, StandardCharsets.UTF_8, StandardOpenOption.CREATE_NEW));
            journal.append(new JournalEntry.Started(
                    policy, configs.stream().map(LoraConfig::id).toList()));
            return journal;
        } catch (FileAlreadyExistsException e) {
            throw new UncheckedIOException(
                    "%s: there is a journal already. Maybe choose another output folder.".formatted(file), e);
        } catch (IOException e) {
            throw new UncheckedIOException("%s: cannot write the journal (%s).".formatted(file, e), e);
        }
    }

    @Override
    public void decided(Decision decision, SweepState after) {
        append(new JournalEntry.Decided(decisions, decision.actions()));
        decisions++;
    }

    @Override
    public void finished(GroupState group, int iterations, SortedMap<Integer, Integer> samples) {
        append(new JournalEntry.Finished(group.id(), group.iterations() + iterations - 1, samples));
    }

    @Override
    public void ended(TrialState trial, EndReason reason) {
        append(new JournalEntry.Ended(trial.index(), reason, trial.samplesDone()));
    }

    @Override
    public void lost(int device) {
        append(new JournalEntry.Lost(device));
    }

    @Override
    public void calibrated(Calibration calibration) {
        append(new JournalEntry.Calibrated(
                calibration.factors().asList(), calibration.fixedSeconds(), calibration.rows()));
    }

    private void append(JournalEntry entry) {
        try {
            writer.write(JSON.writeValueAsString(entry) + "\n");
            writer.flush();
        } catch (IOException e) {
            throw new UncheckedIOException("%s: cannot write the journal (%s).".formatted(file, e), e);
        }
    }

    @Override
    public void close() {
        try {
            writer.close();
        } catch (IOException e) {
            throw new UncheckedIOException("%s: cannot close the journal (%s).".formatted(file, e), e);
        }
    }

    /**
     * What a journal says.
     *
     * @param file where it was read
     * @param entries in order
     * @param tornLine an unfinished last line, which is what a crash leaves; null if there is none
     */
    public record Contents(
            Path file, List<JournalEntry> entries, @Nullable String tornLine) {
        public Contents {
            entries = ImmutableList.copyOf(entries);
        }

        /** The decisions, in order. */
        public List<Decision> decisions() {
            return entries.stream()
                    .filter(JournalEntry.Decided.class::isInstance)
                    .map(entry -> new Decision(((JournalEntry.Decided) entry).actions()))
                    .toList();
        }
    }

    /**
     * Reads a journal, possibly one that a crash cut off.
     *
     * @throws IllegalArgumentException naming file and line if another line than the last is malformed
     * @throws UncheckedIOException if the file cannot be read
     */
    public static Contents read(Path file) {
        String text = text(file);
        List<String> lines = text.lines().toList();
        int whole = text.isEmpty() || text.endsWith("\n") ? lines.size() : lines.size() - 1;
        List<JournalEntry> entries = new ArrayList<>();
        for (int i = 0; i < whole; i++) {
            entries.add(parse(file, i + 1, lines.get(i)));
        }
        if (entries.isEmpty() || !(entries.get(0) instanceof JournalEntry.Started)) {
            throw new IllegalArgumentException("%s: line 1: this is no journal of a sweep.".formatted(file));
        }
        String tornLine = whole < lines.size() ? lines.get(whole) : null;
        if (tornLine != null) {
            log.warn("{}: line {} is torn, probably by a crash; it is left out ({})", file, whole + 1, tornLine);
        }
        return new Contents(file, entries, tornLine);
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException("%s: cannot read the journal (%s).".formatted(file, e), e);
        }
    }

    private static JournalEntry parse(Path file, int number, String line) {
        try {
            return JSON.readValue(line, JournalEntry.class);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(
                    "%s: line %d: this is no entry of a journal (%s).".formatted(file, number, e.getOriginalMessage()),
                    e);
        }
    }
}
