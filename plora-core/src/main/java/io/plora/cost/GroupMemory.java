package io.plora.cost;

import io.plora.space.LoraConfig;

/**
 * Memory of a packed group, in bytes on each of its devices. It is a sum: a group holds {@link #baseBytes}, and for each
 * member {@link #adapterBytes} and, while an iteration runs, {@link #tokenBytes} for each of its tokens. The degree is the
 * number of the group's devices, which share the base model and the adapters (tensor parallelism).
 */
public interface GroupMemory {

    /** What a group holds without any member: the base model and workspaces. */
    long baseBytes(int degree);

    /** What an adapter adds for as long as it is a member. */
    long adapterBytes(LoraConfig config, int degree);

    /** What one token of an adapter adds during an iteration. */
    long tokenBytes(LoraConfig config, int degree);
}
