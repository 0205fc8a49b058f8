package io.plora.report;

import io.plora.cost.Bytes;
import io.plora.plan.SweepPlan;
import io.plora.plan.SweepPlan.Baseline;
import io.plora.plan.SweepPlan.GroupPlan;
import io.plora.plan.SweepPlan.MemberPlan;
import io.plora.plan.SweepPlan.PhasePlan;
import io.plora.space.LoraConfig;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.Stroke;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** One plan of a {@link GanttChart}: a title, a row for each set of devices that worked together, the time axis. */
final class GanttPanel {
    static final Font FONT = new Font(Font.SANS_SERIF, Font.PLAIN, 11);
    static final Color MEMORY = new Color(0xD5, 0xDD, 0xD8);
    static final Color TOKENS = new Color(0xB0, 0x2E, 0x2E);
    static final int LABEL_WIDTH = 96;

    private static final Font TITLE = new Font(Font.SANS_SERIF, Font.BOLD, 13);
    private static final Color GRID = new Color(0xE4, 0xE4, 0xE4);
    private static final int TITLE_HEIGHT = 26;
    private static final int AXIS_HEIGHT = 30;
    private static final int LOAD_HEIGHT = 24;
    private static final int GAP = 8;
    private static final int TALLEST_LANE = 13;
    private static final int LANE_WITH_TEXT = 11;

    /** One row: the devices, who was there (a lane holds stays that do not overlap), and the load over time. */
    private record Row(List<Integer> devices, List<List<MemberPlan>> lanes, List<PhasePlan> phases) {}

    private final SweepPlan plan;
    private final List<LoraConfig> configs;
    private final BatchColors colors;
    private final TimeAxis axis;
    private final List<Row> rows;
    private final int laneHeight;

    GanttPanel(SweepPlan plan, List<LoraConfig> configs, BatchColors colors, TimeAxis axis, int room) {
        this.plan = plan;
        this.configs = configs;
        this.colors = colors;
        this.axis = axis;
        rows = rows(plan);
        int fixed = TITLE_HEIGHT + AXIS_HEIGHT + rows.size() * (LOAD_HEIGHT + GAP);
        int lanes = rows.stream().mapToInt(row -> row.lanes().size()).sum();
        laneHeight = Math.max(1, Math.min(TALLEST_LANE, (room - fixed) / Math.max(1, lanes)));
    }

    private static List<Row> rows(SweepPlan plan) {
        List<List<Integer>> deviceSets = plan.groups().stream()
                .map(GroupPlan::devices)
                .distinct()
                .sorted(Comparator.<List<Integer>>comparingInt(devices -> devices.get(0))
                        .thenComparingInt(List::size))
                .toList();
        List<Row> rows = new ArrayList<>();
        for (List<Integer> devices : deviceSets) {
            List<GroupPlan> groups = plan.groups().stream()
                    .filter(group -> group.devices().equals(devices))
                    .toList();
            rows.add(new Row(
                    devices,
                    lanes(groups),
                    groups.stream().flatMap(group -> group.phases().stream()).toList()));
        }
        return rows;
    }

    /** Stays by the time when they begin, each in the first lane that is free. */
    private static List<List<MemberPlan>> lanes(List<GroupPlan> groups) {
        List<MemberPlan> stays = groups.stream()
                .flatMap(group -> group.members().stream())
                .sorted(Comparator.comparingDouble(MemberPlan::joined))
                .toList();
        List<List<MemberPlan>> lanes = new ArrayList<>();
        for (MemberPlan stay : stays) {
            lanes.stream()
                    .filter(lane -> lane.get(lane.size() - 1).left() <= stay.joined())
                    .findFirst()
                    .orElseGet(() -> {
                        lanes.add(new ArrayList<>());
                        return lanes.get(lanes.size() - 1);
                    })
                    .add(stay);
        }
        return lanes;
    }

    int height() {
        return TITLE_HEIGHT + rows.stream().mapToInt(this::height).sum() + AXIS_HEIGHT;
    }

    private int height(Row row) {
        return row.lanes().size() * laneHeight + LOAD_HEIGHT + GAP;
    }

    void draw(Graphics2D graphics, int x, int y) {
        graphics.setFont(TITLE);
        graphics.setColor(Color.BLACK);
        graphics.drawString(title(), x, y + 16);
        graphics.setFont(FONT);
        int top = y + TITLE_HEIGHT;
        int bottom = y + height() - AXIS_HEIGHT;
        drawGrid(graphics, top, bottom);
        int rowTop = top;
        for (Row row : rows) {
            draw(graphics, row, x, rowTop);
            rowTop += height(row);
        }
        drawBound(graphics, top, bottom);
    }

    private String title() {
        Baseline baseline = plan.baseline();
        return String.format(
                Locale.ROOT,
                "%s: %s, %.1f%% above the lower bound (%s); %sat most %,d tokens an iteration, %s a device",
                plan.policy(),
                TimeAxis.text(plan.makespan()),
                100 * plan.gap(),
                TimeAxis.text(plan.bound().seconds()),
                baseline == null ? "" : "%s %s; ".formatted(baseline.policy(), TimeAxis.text(baseline.makespan())),
                plan.groups().stream()
                        .mapToLong(GroupPlan::largestIteration)
                        .max()
                        .orElse(0),
                Bytes.toText(largestMemory()));
    }

    private long largestMemory() {
        return plan.groups().stream().mapToLong(GroupPlan::largestMemory).max().orElse(0);
    }

    private void drawGrid(Graphics2D graphics, int top, int bottom) {
        for (double tick : axis.ticks()) {
            int at = axis.x(tick);
            graphics.setColor(GRID);
            graphics.drawLine(at, top, at, bottom);
            graphics.setColor(Color.BLACK);
            graphics.drawString(TimeAxis.text(tick), at - 8, bottom + 14);
        }
    }

    private void drawBound(Graphics2D graphics, int top, int bottom) {
        Stroke solid = graphics.getStroke();
        graphics.setStroke(
                new BasicStroke(1.5f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_MITER, 10, new float[] {6, 4}, 0));
        graphics.setColor(Color.BLACK);
        int at = axis.x(plan.bound().seconds());
        graphics.drawLine(at, top, at, bottom);
        graphics.setStroke(solid);
    }

    private void draw(Graphics2D graphics, Row row, int x, int y) {
        graphics.setColor(Color.BLACK);
        graphics.drawString(name(row.devices()), x, y + 12);
        for (int lane = 0; lane < row.lanes().size(); lane++) {
            for (MemberPlan stay : row.lanes().get(lane)) {
                draw(graphics, stay, y + lane * laneHeight);
            }
        }
        drawLoad(graphics, row, y + row.lanes().size() * laneHeight);
    }

    private static String name(List<Integer> devices) {
        return devices.size() == 1
                ? "device " + devices.get(0)
                : "devices %d-%d".formatted(devices.get(0), devices.get(devices.size() - 1));
    }

    private void draw(Graphics2D graphics, MemberPlan stay, int y) {
        LoraConfig config = configs.get(stay.trial());
        int left = axis.x(stay.joined());
        int width = Math.max(1, axis.x(stay.left()) - left - 1);
        int height = Math.max(1, laneHeight - 1);
        Color color = colors.of(config);
        graphics.setColor(color);
        graphics.fillRect(left, y, width, height);
        String text = "r%d b%d lr %s"
                .formatted(
                        config.rank(),
                        config.batchSize(),
                        Double.toString(config.learningRate())
                                .replace(".0E", "e")
                                .replace('E', 'e'));
        if (laneHeight >= LANE_WITH_TEXT && graphics.getFontMetrics(FONT).stringWidth(text) + 6 <= width) {
            graphics.setColor(BatchColors.textOn(color));
            graphics.drawString(text, left + 3, y + height - 2);
        }
    }

    /** Memory as an area, tokens as a line, each on a scale of its own from 0 to the plan's largest. */
    private void drawLoad(Graphics2D graphics, Row row, int y) {
        double memoryScale = (LOAD_HEIGHT - 4.0) / Math.max(1, largestMemory());
        double tokenScale = (LOAD_HEIGHT - 4.0)
                / plan.groups().stream()
                        .flatMap(group -> group.phases().stream())
                        .mapToDouble(PhasePlan::tokens)
                        .max()
                        .orElse(1);
        int bottom = y + LOAD_HEIGHT;
        for (PhasePlan phase : row.phases()) {
            int left = axis.x(phase.start());
            int right = Math.max(left + 1, axis.x(phase.end()));
            int memory = (int) Math.round(phase.memory() * memoryScale);
            graphics.setColor(MEMORY);
            graphics.fillRect(left, bottom - memory, right - left, memory);
        }
        graphics.setColor(TOKENS);
        for (PhasePlan phase : row.phases()) {
            int at = bottom - (int) Math.round(phase.tokens() * tokenScale);
            graphics.drawLine(axis.x(phase.start()), at, axis.x(phase.end()), at);
        }
    }
}
