package io.plora.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.cost.GroupMemory;
import io.plora.plan.DeviceState;
import io.plora.plan.GreedyPacking;
import io.plora.plan.OneByOne;
import io.plora.plan.PackingPolicy;
import io.plora.plan.PlanSimulator;
import io.plora.plan.SweepPlan;
import io.plora.plan.SweepProgress;
import io.plora.plan.Sweeps;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;

class GanttChartTest {
    private static final List<LoraConfig> CONFIGS = SearchSpace.grid()
            .rank(8, 32)
            .learningRate(1e-4, 2e-4, 4e-4)
            .batchSize(1, 4, 16)
            .configs();
    private static final GroupMemory MEMORY = Sweeps.SIMPLE_MEMORY;

    @TempDir
    Path folder;

    private static SweepPlan plan(PackingPolicy policy) {
        int[] lengths = new int[40];
        Arrays.fill(lengths, 10);
        return PlanSimulator.simulate(
                policy,
                SweepProgress.builder()
                        .withConfigs(CONFIGS)
                        .withLengths((trial, epoch) -> lengths)
                        .withTokenBudget(100)
                        .withMemory(MEMORY)
                        .withDevices(List.of(new DeviceState(0, 1300), new DeviceState(1, 1300)))
                        .build());
    }

    @Test
    void pngShowsBarsInTheColoursOfTheBatchSizes() throws IOException {
        Path file = folder.resolve("plan.png");

        new GanttChart(CONFIGS, List.of(plan(new GreedyPacking()), plan(new OneByOne()))).writePng(file);

        BufferedImage image = ImageIO.read(file.toFile());
        Set<Integer> found = new HashSet<>();
        for (int x = 0; x < image.getWidth(); x++) {
            for (int y = 60; y < image.getHeight(); y++) { // below the legend
                found.add(image.getRGB(x, y));
            }
        }
        BatchColors colors = new BatchColors(CONFIGS);
        assertThat(found).contains(GanttPanel.MEMORY.getRGB(), GanttPanel.TOKENS.getRGB());
        for (LoraConfig config : CONFIGS) {
            assertThat(found).contains(colors.of(config).getRGB());
        }
    }

    @Test
    void svgHoldsATitleForEachPlanAndABarForEachStay() throws Exception {
        Path file = folder.resolve("plan.svg");
        SweepPlan alone = plan(new OneByOne());
        SweepPlan packed = plan(new GreedyPacking()).comparedWith(alone);

        new GanttChart(CONFIGS, List.of(packed, alone)).writeSvg(file);

        DocumentBuilderFactory factory = DocumentBuilderFactory.newDefaultInstance();
        factory.setFeature("http://apache.org/xml/features/nonvalidating/load-external-dtd", false);
        Document svg = factory.newDocumentBuilder().parse(file.toFile());
        assertThat(svg.getDocumentElement().getTextContent())
                .contains("greedy packing: ")
                .contains("one by one: ")
                .contains("; one by one " + TimeAxis.text(alone.makespan()) + "; ")
                .contains("device 0")
                .contains("device 1");
        int stays = packed.groups().stream()
                        .mapToInt(group -> group.members().size())
                        .sum()
                + alone.groups().stream()
                        .mapToInt(group -> group.members().size())
                        .sum();
        assertThat(svg.getElementsByTagName("rect").getLength()).isGreaterThan(stays);
    }

    @Test
    void refusesAChartOfNothing() {
        List<SweepPlan> none = List.of();
        assertThatThrownBy(() -> new GanttChart(CONFIGS, none)).hasMessageContaining("at least one plan");
    }

    @Test
    void timesReadWell() {
        assertThat(TimeAxis.text(0.25)).isEqualTo("0.25 s");
        assertThat(TimeAxis.text(90)).isEqualTo("90 s");
        assertThat(TimeAxis.text(1200)).isEqualTo("20 min");
        assertThat(TimeAxis.text(12_600)).isEqualTo("3.5 h");
        assertThat(new TimeAxis(100, 0, 1000).ticks()).containsExactly(0.0, 20.0, 40.0, 60.0, 80.0, 100.0);
    }
}
