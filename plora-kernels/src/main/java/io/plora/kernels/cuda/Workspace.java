package io.plora.kernels.cuda;

import io.plora.kernels.Tensor;
import org.jspecify.annotations.Nullable;

/** Memory that calls on one stream share one after another; grows to the largest wish. */
final class Workspace {
    private final DeviceMemory memory;
    private final Runnable moves;
    private @Nullable Tensor tensor;

    /** @param moves called before the memory goes that an earlier call gave */
    Workspace(DeviceMemory memory, Runnable moves) {
        this.memory = memory;
        this.moves = moves;
    }

    /** Address of at least so many bytes; what an earlier call gave is given up if it was less. */
    long ofBytes(long bytes) {
        Tensor current = tensor;
        if (current == null || current.bytes() < bytes) {
            if (current != null) {
                moves.run();
                tensor = null;
                memory.arena().release(current);
            }
            current = memory.take(Math.max(1, bytes));
            tensor = current;
        }
        return current.address();
    }
}
