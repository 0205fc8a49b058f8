package io.plora.kernels.cuda;

import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CUDA graphs. */
final class GraphRecorder implements Recorder {
    private static final Logger LOGGER = LoggerFactory.getLogger(GraphRecorder.class);

    private final DeviceMemory memory;

    GraphRecorder(DeviceMemory memory) {
        this.memory = memory;
    }

    @Override
    public Program record(Runnable operations) {
        try (LongPointer streamOf = new LongPointer(1)) {
            CudaLibrary.check(Plora.recordBegin(streamOf));
            long stream = streamOf.get();
            boolean whole = false;
            memory.recordOn(stream);
            try {
                operations.run();
                whole = true;
            } finally {
                memory.endRecording();
                if (!whole) {
                    Plora.recordEnd(stream, null, null);
                }
            }
            return end(stream);
        }
    }

    private Program end(long stream) {
        try (LongPointer program = new LongPointer(1);
                IntPointer operations = new IntPointer(1)) {
            CudaLibrary.check(Plora.recordEnd(stream, program, operations));
            LOGGER.debug("Recorded ({}) operations.", operations.get());
            return new Graph(program.get());
        }
    }

    private final class Graph implements Program {
        private final long program;

        private Graph(long program) {
            this.program = program;
        }

        @Override
        public void launch() {
            CudaLibrary.check(Plora.launchProgram(program, memory.stream()));
        }

        @Override
        public void close() {
            memory.synchronize();
            CudaLibrary.check(Plora.destroyProgram(program));
        }
    }
}
