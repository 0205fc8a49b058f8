package io.plora.cost;

import java.util.Locale;

/** Amounts of memory for people. */
public final class Bytes {
    private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB"};

    private Bytes() {}

    /** Such as {@code 512 bytes}, {@code 1.5 MiB}. */
    public static String toText(long bytes) {
        if (bytes < 1024) {
            return bytes + " bytes";
        }
        double amount = bytes / 1024.0;
        int unit = 0;
        while (amount >= 1024 && unit < UNITS.length - 1) {
            amount /= 1024;
            unit++;
        }
        return String.format(Locale.ROOT, "%.1f %s", amount, UNITS[unit]);
    }
}
