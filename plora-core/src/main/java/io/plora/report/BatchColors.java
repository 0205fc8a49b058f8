package io.plora.report;

import io.plora.space.LoraConfig;
import java.awt.Color;
import java.awt.Graphics2D;
import java.util.List;

/** A colour for each batch size of a sweep, from dark (small, the long chains) to light, and their legend. */
final class BatchColors {
    static final int HEIGHT = 28;

    private static final int BOX = 14;
    private static final int ENTRY = 74;
    private static final Color DARK = new Color(0x24, 0x3B, 0x6B);
    private static final Color LIGHT = new Color(0xF2, 0xC1, 0x4E);

    private final List<Integer> sizes;

    BatchColors(List<LoraConfig> configs) {
        sizes = configs.stream().map(LoraConfig::batchSize).distinct().sorted().toList();
    }

    Color of(LoraConfig config) {
        return color(sizes.indexOf(config.batchSize()));
    }

    private Color color(int index) {
        double share = sizes.size() < 2 ? 0 : (double) index / (sizes.size() - 1);
        return new Color(
                mix(DARK.getRed(), LIGHT.getRed(), share),
                mix(DARK.getGreen(), LIGHT.getGreen(), share),
                mix(DARK.getBlue(), LIGHT.getBlue(), share));
    }

    private static int mix(int from, int to, double share) {
        return (int) Math.round(from + (to - from) * share);
    }

    /** Text on a colour: white on the dark ones. */
    static Color textOn(Color color) {
        return color.getRed() + color.getGreen() + color.getBlue() < 380 ? Color.WHITE : Color.BLACK;
    }

    void draw(Graphics2D graphics, int x, int y) {
        graphics.setFont(GanttPanel.FONT);
        graphics.setColor(Color.BLACK);
        graphics.drawString("Batch size", x, y + BOX - 3);
        for (int i = 0; i < sizes.size(); i++) {
            int left = x + ENTRY * (i + 1);
            graphics.setColor(color(i));
            graphics.fillRect(left, y, BOX, BOX);
            graphics.setColor(Color.BLACK);
            graphics.drawString(Integer.toString(sizes.get(i)), left + BOX + 4, y + BOX - 3);
        }
        int left = x + ENTRY * (sizes.size() + 1);
        graphics.setColor(GanttPanel.MEMORY);
        graphics.fillRect(left, y, BOX, BOX);
        graphics.setColor(GanttPanel.TOKENS);
        graphics.fillRect(left + 3 * ENTRY, y + BOX / 2, BOX, 2);
        graphics.setColor(Color.BLACK);
        graphics.drawString("memory held on each device", left + BOX + 4, y + BOX - 3);
        graphics.drawString("tokens of an iteration", left + 3 * ENTRY + BOX + 4, y + BOX - 3);
    }
}
