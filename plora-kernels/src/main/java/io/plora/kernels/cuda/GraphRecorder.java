package io.plora.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CUDA graphs. */
final class GraphRecorder implements Recorder {
    /** Calls of the first graph: launching takes longer the larger a graph is, and the device is to have work meanwhile. */
    private static final int FIRST_CALLS = 24;

    private static final Logger LOGGER = LoggerFactory.getLogger(GraphRecorder.class);

    private final DeviceMemory memory;

    GraphRecorder(DeviceMemory memory) {
        this.memory = memory;
    }

    @Override
    public Program record(Runnable operations) {
        Recording recording = new Recording();
        memory.recordOn(recording::stream);
        try {
            operations.run();
            recording.endGraph();
        } catch (RuntimeException | Error e) {
            recording.discard();
            throw e;
        } finally {
            memory.endRecording();
        }
        return recording.program();
    }

    /** Records one graph after the other. */
    private final class Recording {
        private final List<Long> graphs = new ArrayList<>();
        private long stream; // of the graph that is being recorded, or 0
        private int calls;
        private int operations;

        /** Where the next call is to go. */
        private long stream() {
            if (calls++ == FIRST_CALLS) {
                endGraph();
            }
            if (stream == 0) {
                try (LongPointer begun = new LongPointer(1)) {
                    CudaLibrary.check(Plora.recordBegin(begun));
                    stream = begun.get();
                }
            }
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
        }

        private void discard() {
            if (stream != 0) {
                Plora.recordEnd(stream, null, null);
            }
            graphs.forEach(Plora::destroyProgram);
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
            memory.synchronize();
            for (long graph : graphs) {
                CudaLibrary.check(Plora.destroyProgram(graph));
            }
        }
    }
}
