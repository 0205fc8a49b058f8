package io.plora.kernels;

import java.util.Arrays;
import java.util.Comparator;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Tensors out of one range of memory that was allocated once: address arithmetic only, the memory itself is never touched.
 *
 * <p>Best fit: a tensor takes the start of the smallest free range that holds it, of ranges of the same size the first; what
 * is released joins the free ranges beside it. Tensors start at multiples of {@link #ALIGNMENT} bytes and take a multiple of
 * it. The same calls give the same addresses. Not thread-safe.
 */
public final class Arena {
    /** What wide loads and tensor cores ask for, and what CUDA's own allocator gives. */
    public static final long ALIGNMENT = 256;

    private static final Comparator<Range> BY_SIZE =
            Comparator.comparingLong(Range::bytes).thenComparingLong(Range::start);

    private final Object memory; // tensors hold their arena, and so this
    private final long bytes;
    private final TreeMap<Long, Range> freeByStart = new TreeMap<>();
    private final TreeSet<Range> freeBySize = new TreeSet<>(BY_SIZE);
    private long usedBytes;
    private long peakBytes;

    private record Range(long start, long bytes) {
        long end() {
            return start + bytes;
        }
    }

    /** What a tensor belongs to; views of the tensor share it. */
    private final class Block {
        private final Range range;
        private boolean released;

        private Block(Range range) {
            this.range = range;
        }

        private Arena arena() {
            return Arena.this;
        }
    }

    /**
     * @param memory what keeps the memory allocated; tensors keep it reachable
     * @param address where it starts; what lies before the first multiple of {@link #ALIGNMENT} is not used
     * @param bytes its size; what lies behind the last multiple is not used
     * @throws IllegalArgumentException if nothing of it can be used
     */
    public Arena(Object memory, long address, long bytes) {
        this.memory = memory;
        long start = aligned(address);
        this.bytes = (address + bytes - start) / ALIGNMENT * ALIGNMENT;
        if (this.bytes <= 0) {
            throw new IllegalArgumentException(
                    "Memory of (%d) bytes at (%d) is too small for an arena.".formatted(bytes, address));
        }
        free(new Range(start, this.bytes));
    }

    /**
     * A tensor in memory of its own, whose content is undefined.
     *
     * @throws OutOfMemoryError if no free range holds it, naming what is free
     */
    public Tensor allocate(DType type, long... shape) {
        long needed = bytesOf(type, shape);
        Range hole = freeBySize.ceiling(new Range(Long.MIN_VALUE, needed));
        if (hole == null) {
            throw new OutOfMemoryError(
                    "A tensor of shape %s and type (%s) needs (%d) bytes of an arena of (%d), of which (%d) are free, (%d) in one piece."
                            .formatted(Arrays.toString(shape), type, needed, bytes, freeBytes(), largestHole()));
        }
        take(hole);
        if (hole.bytes() > needed) {
            free(new Range(hole.start() + needed, hole.bytes() - needed));
        }
        usedBytes += needed;
        peakBytes = Math.max(peakBytes, usedBytes);
        return Tensor.onDevice(new Block(new Range(hole.start(), needed)), hole.start(), type, shape);
    }

    /**
     * Takes a tensor's memory back. Its views must not be used any more either.
     *
     * @throws IllegalArgumentException if the tensor is not of this arena, only a view into another, or released already
     */
    public void release(Tensor tensor) {
        if (!(tensor.owner() instanceof Block block) || block.arena() != this) {
            throw new IllegalArgumentException("%s is not of this arena.".formatted(tensor));
        }
        if (block.range.start() != tensor.address() || block.range.bytes() != bytesOf(tensor.type(), tensor.shape())) {
            throw new IllegalArgumentException(
                    "%s is a part of a tensor. Maybe release the whole tensor.".formatted(tensor));
        }
        if (block.released) {
            throw new IllegalArgumentException("%s has been released already.".formatted(tensor));
        }
        block.released = true;
        usedBytes -= block.range.bytes();
        free(joined(block.range));
    }

    /** A range with the free ranges beside it, which are free no more. */
    private Range joined(Range range) {
        long start = range.start();
        long end = range.end();
        var before = freeByStart.lowerEntry(start);
        if (before != null && before.getValue().end() == start) {
            take(before.getValue());
            start = before.getKey();
        }
        Range after = freeByStart.get(end);
        if (after != null) {
            take(after);
            end = after.end();
        }
        return new Range(start, end - start);
    }

    private void free(Range range) {
        freeByStart.put(range.start(), range);
        freeBySize.add(range);
    }

    private void take(Range range) {
        freeByStart.remove(range.start());
        freeBySize.remove(range);
    }

    /** What a tensor takes of an arena; one without elements takes {@link #ALIGNMENT} bytes, to have an address of its own. */
    public static long bytesOf(DType type, long... shape) {
        return Math.max(ALIGNMENT, aligned(Math.multiplyExact(Tensor.size(shape), type.bytes())));
    }

    private static long aligned(long bytes) {
        return Math.addExact(bytes, ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    /** Size of the arena. */
    public long bytes() {
        return bytes;
    }

    /** Bytes that tensors take. */
    public long usedBytes() {
        return usedBytes;
    }

    /** Most bytes that tensors have taken at once, from the start or the last {@link #restartPeak}. */
    public long peakBytes() {
        return peakBytes;
    }

    public void restartPeak() {
        peakBytes = usedBytes;
    }

    /** Bytes that no tensor takes, in pieces of any size. */
    public long freeBytes() {
        return bytes - usedBytes;
    }

    /** Bytes of the largest tensor that can be allocated. */
    public long largestHole() {
        return freeBySize.isEmpty() ? 0 : freeBySize.last().bytes();
    }
}
