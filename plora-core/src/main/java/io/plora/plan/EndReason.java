package io.plora.plan;

/** Why a trial ended. */
public enum EndReason {
    /** All epochs are done. */
    COMPLETED,
    /** Not promising enough to go on. */
    STOPPED_EARLY,
    /** Its training failed, such as by a loss that is no number. */
    FAILED,
    /** Somebody cancelled it. */
    CANCELLED
}
