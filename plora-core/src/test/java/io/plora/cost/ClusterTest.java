package io.plora.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ClusterTest {

    @Test
    void devicesAreNumberedThroughNodeByNode() {
        Cluster cluster = Cluster.of(
                List.of(new Cluster.Node(DeviceSpec.A100_40GB, 2), new Cluster.Node(DeviceSpec.A10_24GB, 3)));

        assertThat(cluster.size()).isEqualTo(5);
        assertThat(cluster.device(1)).isEqualTo(DeviceSpec.A100_40GB);
        assertThat(cluster.device(2)).isEqualTo(DeviceSpec.A10_24GB);
        assertThat(cluster.nodeOf(1)).isZero();
        assertThat(cluster.nodeOf(4)).isEqualTo(1);
        assertThat(cluster.devicesOf(1)).containsExactly(2, 3, 4);
        assertThat(cluster.largestNode()).isEqualTo(3);
    }

    @Test
    void equalNodesMakeLargeClusters() {
        Cluster cluster = Cluster.of(128, 8, DeviceSpec.H100_80GB);

        assertThat(cluster.size()).isEqualTo(1024);
        assertThat(cluster.nodeOf(1023)).isEqualTo(127);
        assertThat(cluster.largestNode()).isEqualTo(8);
        assertThat(cluster)
                .isEqualTo(Cluster.of(128, 8, DeviceSpec.H100_80GB))
                .isNotEqualTo(Cluster.of(8, DeviceSpec.L4));
    }

    @Test
    void emptyClustersNodesAndMissingDevicesAreRefused() {
        assertThatThrownBy(() -> Cluster.of(List.of())).hasMessageContaining("at least one node");
        assertThatThrownBy(() -> Cluster.of(0, DeviceSpec.L4)).hasMessageContaining("(0)");
        assertThatThrownBy(() -> Cluster.of(2, DeviceSpec.L4).device(2))
                .isInstanceOf(IndexOutOfBoundsException.class)
                .hasMessageContainingAll("(2)");
    }

    @Test
    void devicesAreFoundByName() {
        assertThat(DeviceSpec.of("A100-40GB")).isSameAs(DeviceSpec.A100_40GB);
        assertThat(DeviceSpec.of("h200")).isSameAs(DeviceSpec.H200);
        assertThatThrownBy(() -> DeviceSpec.of("V100"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll("(V100)", "A10-24GB", "H200");
        assertThat(DeviceSpec.A100_40GB).hasToString("A100-40GB (40.0 GiB, 240 TFLOP/s, 1370 GB/s)");
    }

    @ParameterizedTest
    @CsvSource({
        "NVIDIA H100 80GB HBM3, 78, H100-80GB",
        "NVIDIA H200, 139, H200",
        "NVIDIA A100-SXM4-40GB, 39, A100-40GB",
        "NVIDIA A100 80GB PCIe, 70, A100-80GB",
        "NVIDIA A10, 22, A10-24GB",
        "NVIDIA L4, 22, L4",
        "NVIDIA L40S, 44, L40S",
        "NVIDIA B200, 180, H200"
    })
    void theDriversNameFindsTheDeviceOrElseTheNearestMemory(String driverName, long gibibytes, String device) {
        assertThat(DeviceSpec.like(driverName, gibibytes << 30).name()).isEqualTo(device);
    }

    @Test
    void loadFactorLimitsMemory() {
        assertThat(DeviceSpec.A100_40GB.usableBytes(1)).isEqualTo(40L << 30);
        assertThat(DeviceSpec.A100_40GB.usableBytes(0.75)).isEqualTo(30L << 30);
        assertThatThrownBy(() -> DeviceSpec.L4.usableBytes(1.1)).hasMessageContaining("(1.1)");
        assertThatThrownBy(() -> DeviceSpec.L4.usableBytes(0)).hasMessageContaining("(0.0)");
    }

    @Test
    void impossibleDevicesAreRefused() {
        assertThatThrownBy(() -> new DeviceSpec("mine", 1, 0, 1, 1, 0, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll("(mine)", "operationsPerSecond (0.0)");
        assertThatThrownBy(() -> new DeviceSpec("mine", 1, 1, 1, 1, -1, 0)).hasMessageContaining("linkSeconds (-1.0)");
    }
}
