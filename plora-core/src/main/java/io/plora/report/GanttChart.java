package io.plora.report;

import io.plora.model.AtomicFiles;
import io.plora.plan.SweepPlan;
import io.plora.space.LoraConfig;
import java.awt.Color;
import java.awt.Dimension;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.apache.batik.svggen.SVGGraphics2D;
import org.w3c.dom.Document;

/**
 * Plans as Gantt charts, one below the other on the same time axis: for each device who trains when, one bar a stay, coloured
 * by batch size; below the bars the memory that is held and the tokens of an iteration. A dashed line marks the lower bound.
 */
public final class GanttChart {
    private static final int WIDTH = 1400;
    private static final int MARGIN = 16;
    /** So that a chart of many devices stays one that a viewer opens. */
    private static final int MOST_PIXELS_HIGH = 16_000;

    private final List<GanttPanel> panels = new ArrayList<>();
    private final BatchColors colors;

    /**
     * @param configs what the trials of all plans are, by index
     * @param plans such as a policy's and one to compare it with
     * @throws IllegalArgumentException if there is no plan
     */
    public GanttChart(List<LoraConfig> configs, List<SweepPlan> plans) {
        if (plans.isEmpty()) {
            throw new IllegalArgumentException("A chart needs at least one plan.");
        }
        colors = new BatchColors(configs);
        double longest = plans.stream().mapToDouble(SweepPlan::makespan).max().getAsDouble();
        TimeAxis axis = new TimeAxis(longest, MARGIN + GanttPanel.LABEL_WIDTH, WIDTH - MARGIN);
        int roomForEach = MOST_PIXELS_HIGH / plans.size();
        plans.forEach(plan -> panels.add(new GanttPanel(plan, configs, colors, axis, roomForEach)));
    }

    private int height() {
        return 2 * MARGIN
                + BatchColors.HEIGHT
                + panels.stream().mapToInt(GanttPanel::height).sum();
    }

    private void draw(Graphics2D graphics) {
        graphics.setColor(Color.WHITE);
        graphics.fillRect(0, 0, WIDTH, height());
        int y = MARGIN;
        colors.draw(graphics, MARGIN, y);
        y += BatchColors.HEIGHT;
        for (GanttPanel panel : panels) {
            panel.draw(graphics, MARGIN, y);
            y += panel.height();
        }
    }

    /**
     * Writes the chart as SVG.
     *
     * @throws UncheckedIOException if the file cannot be written
     */
    public void writeSvg(Path file) {
        SVGGraphics2D graphics = new SVGGraphics2D(emptySvg());
        graphics.setSVGCanvasSize(new Dimension(WIDTH, height()));
        draw(graphics);
        StringWriter text = new StringWriter();
        try {
            graphics.stream(text, true);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        AtomicFiles.writeFile(file, text.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static Document emptySvg() {
        try {
            return DocumentBuilderFactory.newDefaultInstance()
                    .newDocumentBuilder()
                    .getDOMImplementation()
                    .createDocument("http://www.w3.org/2000/svg", "svg", null);
        } catch (ParserConfigurationException e) {
            throw new IllegalStateException("The JDK's own XML parser has no default configuration.", e);
        }
    }

    /**
     * Writes the chart as PNG; needs no display.
     *
     * @throws UncheckedIOException if the file cannot be written
     */
    public void writePng(Path file) {
        BufferedImage image = new BufferedImage(WIDTH, height(), BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        graphics.setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
        draw(graphics);
        graphics.dispose();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            ImageIO.write(image, "png", bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        AtomicFiles.writeFile(file, bytes.toByteArray());
    }
}
