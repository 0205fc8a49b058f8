package io.plora.plan.jobs;

import io.plora.cost.GroupWork;

/**
 * What a member adds to a static job on a certain number of devices. Members that add the same are of one kind: a sweep has
 * many trials and few kinds.
 *
 * @param rank its value to PLoRA's objective
 * @param iterations how many iterations of the job it takes part in, at least 1
 * @param work of one of them, on average
 * @param bytes what it holds on each device
 * @param tokens most tokens that it brings to an iteration
 */
public record MemberKind(int rank, long iterations, GroupWork work, long bytes, long tokens) {

    public MemberKind {
        require(rank >= 1, "rank", rank, "at least 1");
        require(iterations >= 1, "iterations", iterations, "at least 1");
        require(bytes >= 0, "bytes", bytes, "zero or positive");
        require(tokens >= 0, "tokens", tokens, "zero or positive");
    }

    private static void require(boolean valid, String name, long value, String expected) {
        if (!valid) {
            throw new IllegalArgumentException("Member of a job: %s (%d) must be %s.".formatted(name, value, expected));
        }
    }
}
