package io.plora.plan;

/** Where a trial is. */
public enum Phase {
    /** In no group: not begun, or paused. */
    WAITING,
    /** A member of a group. */
    RUNNING,
    /** It will not train any more. */
    ENDED
}
