package io.plora.cost;

/**
 * How adapters lie in a group's memory. An adapter takes a slot of the smallest size class that holds it, so that a slot that
 * becomes free serves any adapter of its class without moving another; the rest of the slot is lost. Free slots are
 * memory set aside so that an adapter can be prepared while the group still trains those that it has.
 *
 * @param classesPerDoubling size classes between a power of two and the next: at most 1 / this of a slot is lost; 0 for slots
 *     of exactly the adapter's size
 * @param free free slots
 * @param freeSlotParameters parameters of the adapter that each must hold, see {@link MemoryModel#adapterParameters}
 */
public record AdapterSlots(int classesPerDoubling, int free, long freeSlotParameters) {

    /** Nothing lost, nothing set aside. */
    public static final AdapterSlots EXACT = new AdapterSlots(0, 0, 0);

    public AdapterSlots {
        if (classesPerDoubling < 0 || free < 0 || freeSlotParameters < 0) {
            throw new IllegalArgumentException(
                    "Adapter slots: classesPerDoubling (%d), free (%d) and freeSlotParameters (%d) must not be negative."
                            .formatted(classesPerDoubling, free, freeSlotParameters));
        }
    }

    /** The slot of something of a size. */
    long slotBytes(long bytes) {
        if (classesPerDoubling == 0 || bytes <= classesPerDoubling) {
            return bytes;
        }
        // classes lie at multiples of power / classes, power being the largest power of two below the size
        long power = Long.highestOneBit(bytes - 1);
        long step = Math.max(1, power / classesPerDoubling);
        return (bytes + step - 1) / step * step;
    }
}
