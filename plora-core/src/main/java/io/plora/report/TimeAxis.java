package io.plora.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Seconds along the width of a chart. */
final class TimeAxis {
    private static final int FEWEST_TICKS = 5;
    /** Steps between ticks that people read easily: seconds, minutes, hours, days. */
    private static final double[] STEPS = {
        1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600,
        7200, 14_400, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000
    };

    private final double longest;
    private final int left;
    private final int right;

    TimeAxis(double longest, int left, int right) {
        this.longest = longest > 0 ? longest : 1;
        this.left = left;
        this.right = right;
    }

    int left() {
        return left;
    }

    int right() {
        return right;
    }

    int x(double seconds) {
        return left + (int) Math.round((right - left) * seconds / longest);
    }

    List<Double> ticks() {
        double step = STEPS[0];
        for (double candidate : STEPS) {
            step = longest / candidate >= FEWEST_TICKS ? candidate : step;
        }
        List<Double> ticks = new ArrayList<>();
        for (int i = 0; i * step <= longest; i++) {
            ticks.add(i * step);
        }
        return ticks;
    }

    /** Such as {@code 2.5 s}, {@code 20 min}, {@code 3.5 h}. */
    static String text(double seconds) {
        if (seconds < 120) {
            return number(seconds) + " s";
        }
        return seconds < 7200 ? number(seconds / 60) + " min" : number(seconds / 3600) + " h";
    }

    private static String number(double value) {
        String text = String.format(Locale.ROOT, value < 1 ? "%.3f" : "%.1f", value);
        return text.replaceAll("0+$", "").replaceAll("\\.$", "");
    }
}
