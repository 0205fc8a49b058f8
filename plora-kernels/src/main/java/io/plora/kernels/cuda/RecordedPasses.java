package io.plora.kernels.cuda;

import io.plora.kernels.PackedBatch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Passes that come again with the same operands and the same shape of batch. The first is made operation by operation, which
 * uploads what it needs; the second is recorded meanwhile; from then on the record is replayed, as long as nothing that it uses moves.
 */
final class RecordedPasses {
    /** Passes kept, the least recently used going first. */
    static final int KEPT = 64;

    /** Dropped passes that are not closed until the host has time, or there are more. */
    private static final int MOST_DROPPED = 16;

    private final Recorder recorder;
    private final Map<Key, Pass> passes = new LinkedHashMap<>(KEPT, 0.75f, true);
    private final List<Recorder.Program> dropped = new ArrayList<>(); // and not closed yet
    private @Nullable Pass recording;
    private boolean off;
    private int replayed;

    RecordedPasses(Recorder recorder) {
        this.recorder = recorder;
    }

    /**
     * What a record depends on.
     *
     * @param operands equal where operations take the same tensors and tables
     * @param targets how many rows of logits there are
     */
    record Key(Object operands, BatchShape shape, int targets, boolean dropout) {}

    private static final class Pass {
        private final List<Consumer<PackedBatch>> checks = new ArrayList<>();
        private Recorder.@Nullable Program program;
    }

    /** Passes that were replayed rather than made operation by operation. */
    int replayed() {
        return replayed;
    }

    /** From now on nothing is recorded or replayed, or it is again. Forgets all passes at once. */
    void turn(boolean on) {
        off = !on;
        close();
    }

    /** Runs the operations, or what was recorded of them. */
    void run(Key key, PackedBatch batch, Runnable operations) {
        Pass pass = passes.get(key);
        if (off) {
            operations.run();
        } else if (pass == null) {
            operations.run();
            passes.put(key, new Pass());
            while (passes.size() > KEPT) {
                Key eldest = passes.keySet().iterator().next();
                drop(eldest::equals);
            }
            closeDropped(MOST_DROPPED);
        } else if (pass.program == null) {
            record(pass, operations);
            closeDropped(MOST_DROPPED);
        } else {
            pass.checks.forEach(check -> check.accept(batch));
            pass.program.launch();
            replayed++;
            closeDropped(0);
        }
    }

    private void record(Pass pass, Runnable operations) {
        pass.checks.clear(); // of a recording that failed
        recording = pass;
        try {
            pass.program = recorder.record(operations);
        } finally {
            recording = null;
        }
        if (pass.program == null) {
            turn(false);
        } else {
            replayed++;
        }
    }

    /** Makes a check, and makes it again on the batch of each replay if the pass is being recorded. */
    void check(PackedBatch batch, Consumer<PackedBatch> check) {
        check.accept(batch);
        if (recording != null) {
            recording.checks.add(check);
        }
    }

    /** Forgets all passes, as something that they use has moved. */
    void drop() {
        drop(key -> true);
    }

    /** Forgets passes with batches of a shape. */
    void drop(BatchShape shape) {
        drop(key -> key.shape().equals(shape));
    }

    private void drop(Predicate<Key> which) {
        passes.entrySet().removeIf(entry -> {
            boolean drops = which.test(entry.getKey());
            Recorder.Program program = entry.getValue().program;
            if (drops && program != null) {
                dropped.add(program);
            }
            return drops;
        });
    }

    /** Closes what was dropped if it is more than so many: while the device is at work, as it takes the host milliseconds. */
    private void closeDropped(int many) {
        if (dropped.size() > many) {
            List<Recorder.Program> closing = List.copyOf(dropped);
            dropped.clear(); // none is closed twice, whatever fails
            closing.forEach(Recorder.Program::close);
        }
    }

    /** Forgets all passes at once. */
    void close() {
        drop();
        closeDropped(0);
    }
}
