package io.plora.plan;

import java.util.Collection;
import java.util.List;
import java.util.SortedMap;

/** Looks through the iterations of a stretch: how many of them are possible, and what they take. */
final class StretchScan {
    private final SortedMap<Integer, Integer> shares;
    private final boolean filled;
    private final StretchWalk walk;
    private int possible;
    private boolean epochDone;
    private long tokens;
    private long mostTokens;
    private long mostBytes;

    /**
     * Looks until an iteration is impossible, or a trial has done its epoch.
     *
     * @param members indices of all members
     * @param shares most samples of those that take part
     * @param filled see {@link Action.Iterate}
     * @param most iterations to look at
     */
    StretchScan(
            SweepState state,
            List<Integer> devices,
            Collection<Integer> members,
            SortedMap<Integer, Integer> shares,
            boolean filled,
            int most) {
        this.shares = shares;
        this.filled = filled;
        walk = new StretchWalk(state, devices, members, shares, filled);
        while (possible < most && !epochDone && walk.next()) {
            possible++;
            epochDone = walk.isAnyAtEnd();
            tokens += walk.tokens();
            mostTokens = Math.max(mostTokens, walk.tokens());
            mostBytes = Math.max(mostBytes, walk.bytes());
        }
    }

    /** How many of the iterations from the first on are possible before a trial has done its epoch. */
    int possible() {
        return possible;
    }

    /** Whether a trial has done its epoch after those. */
    boolean isEpochDone() {
        return epochDone;
    }

    /** Bytes on each device of the iteration looked at last. */
    long bytes() {
        return walk.bytes();
    }

    /** Tokens of the iteration looked at last. */
    long tokens() {
        return walk.tokens();
    }

    /** The whole stretch, all of which is possible. */
    Stretch stretch() {
        return new Stretch(shares, possible, filled, walk.work().times(1.0 / possible), tokens, mostTokens, mostBytes);
    }
}
