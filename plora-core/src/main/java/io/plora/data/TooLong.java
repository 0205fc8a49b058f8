package io.plora.data;

/** What becomes of a sample that is longer than the longest length allowed. */
public enum TooLong {
    /** Loading ends with an exception that tells how many there are. */
    REFUSE,
    /** Its end is cut off; it is left out if no answer token remains. Choice questions lose the beginning of the prompt. */
    TRUNCATE,
    /** It is left out. */
    SKIP
}
