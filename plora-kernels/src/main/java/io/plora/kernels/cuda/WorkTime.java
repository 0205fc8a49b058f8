package io.plora.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;

/** How long the device is at work, by pairs of events around what it is asked to do; while nobody wants to know, none. */
final class WorkTime {
    private final DeviceMemory memory;
    private final List<Long> events = new ArrayList<>();
    private int used;
    private boolean on;

    WorkTime(DeviceMemory memory) {
        this.memory = memory;
    }

    void turn(boolean on) {
        this.on = on;
        used = 0;
    }

    void around(Runnable work) {
        int before = used;
        mark();
        try {
            work.run();
        } catch (RuntimeException | Error e) {
            used = Math.min(before, used); // what follows is in pairs again
            throw e;
        }
        mark();
    }

    private void mark() {
        if (!on) {
            return;
        }
        if (used == events.size()) {
            events.add(CudaLibrary.createEvent());
        }
        CudaLibrary.check(Plora.recordEvent(events.get(used++), memory.stream()));
    }

    /** Seconds since this was last asked; waits for the work. */
    double seconds() {
        double sum = 0;
        try (FloatPointer milliseconds = new FloatPointer(1)) {
            for (int i = 0; i + 1 < used; i += 2) {
                CudaLibrary.check(Plora.eventElapsed(events.get(i), events.get(i + 1), milliseconds));
                sum += milliseconds.get() / 1e3;
            }
        }
        used = 0;
        return sum;
    }

    void close() {
        events.forEach(event -> CudaLibrary.check(Plora.destroyEvent(event)));
        events.clear();
    }
}
