package io.plora.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * CUDA graphs. A record is several, each launched as soon as it is recorded: the device is at work on it while the host records the
 * next.
 */
final class GraphRecorder implements Recorder {
    /** Calls of the first graph: launching takes longer the larger a graph is, and the device is to have work meanwhile. */
    private static final int FIRST_CALLS = 24;

    /** How many times the calls of a graph the next one has: about as many as the host records while the device does the former. */
    private static final int GROWTH = 3;

    private static final Logger LOGGER = LoggerFactory.getLogger(GraphRecorder.class);

    private final DeviceMemory memory;

    GraphRecorder(DeviceMemory memory) {
        this.memory = memory;
    }

    @Override
    public @Nullable Program record(Runnable operations) {
        Recording recording = new Recording();
        memory.recordOn(recording::stream);
        try {
            operations.run();
            recording.endGraph();
            return recording.program();
        } catch (IllegalStateException e) {
            LOGGER.warn("Passes are not recorded from now on, which makes small ones slower: {}", e.getMessage());
            recording.discard();
        } catch (RuntimeException | Error e) {
            recording.discard();
            throw e;
        } finally {
            memory.endRecording();
        }
        runFrom(recording.launched, operations);
        return null;
    }

    /** Runs the operations, but for so many calls, which have been done: they go to a graph that is thrown away. */
    private void runFrom(int done, Runnable operations) {
        Recording repeated = new Recording();
        if (done > 0) {
            memory.recordOn(() -> {
                if (repeated.calls < done) {
                    return repeated.next();
                }
                repeated.discard();
                memory.endRecording();
                return memory.stream();
            });
        }
        try {
            operations.run();
        } finally {
            repeated.discard();
            memory.endRecording();
        }
    }

    /** Records one graph after the other. */
    private final class Recording {
        private final List<Long> graphs = new ArrayList<>();
        private long stream; // of the graph that is being recorded, or 0
        private int calls;
        private int nextGraph = FIRST_CALLS; // begins with this call
        private int launched; // calls
        private int operations;

        /** Where the next call is to go. */
        private long stream() {
            if (calls == nextGraph) {
                endGraph();
                nextGraph = FIRST_CALLS + GROWTH * nextGraph;
            }
            return next();
        }

        private long next() {
            if (stream == 0) {
                try (LongPointer begun = new LongPointer(1)) {
                    CudaLibrary.check(Plora.recordBegin(begun));
                    stream = begun.get();
                }
            }
            calls++;
            return stream;
        }

        private void endGraph() {
            long ended = stream;
            stream = 0;
            if (ended == 0) {
                return;
            }
            try (LongPointer graph = new LongPointer(1);
                    IntPointer count = new IntPointer(1)) {
                CudaLibrary.check(Plora.recordEnd(ended, graph, count));
                graphs.add(graph.get());
                operations += count.get();
            }
            CudaLibrary.check(Plora.launchProgram(graphs.get(graphs.size() - 1), memory.ownStream()));
            launched = calls;
        }

        private void discard() {
            if (stream != 0) {
                Plora.recordEnd(stream, null, null);
                stream = 0;
            }
            graphs.forEach(Plora::destroyProgram);
            graphs.clear();
        }

        private Program program() {
            LOGGER.debug("Recorded ({}) operations in ({}) graphs.", operations, graphs.size());
            return new Graphs(List.copyOf(graphs));
        }
    }

    private final class Graphs implements Program {
        private final List<Long> graphs;

        private Graphs(List<Long> graphs) {
            this.graphs = graphs;
        }

        @Override
        public void launch() {
            for (long graph : graphs) {
                CudaLibrary.check(Plora.launchProgram(graph, memory.stream()));
            }
        }

        @Override
        public void close() {
            for (long graph : graphs) {
                CudaLibrary.check(Plora.destroyProgram(graph));
            }
        }
    }
}
