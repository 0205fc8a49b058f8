package io.plora.cost;

import com.google.common.collect.ImmutableList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Machines and their devices. Devices are numbered through, node by node; those of a node are linked, so a group stays within
 * one.
 */
public final class Cluster {

    /**
     * A machine.
     *
     * @param device kind of all its devices
     * @param count how many there are
     */
    public record Node(DeviceSpec device, int count) {
        public Node {
            if (count < 1) {
                throw new IllegalArgumentException("A node must have at least one device, not (%d).".formatted(count));
            }
        }
    }

    private final List<Node> nodes;
    /** Number of each node's first device. */
    private final int[] starts;

    private final int[] nodeOf;

    private Cluster(List<Node> nodes) {
        if (nodes.isEmpty()) {
            throw new IllegalArgumentException("A cluster must have at least one node.");
        }
        this.nodes = ImmutableList.copyOf(nodes);
        starts = new int[nodes.size() + 1];
        for (int i = 0; i < nodes.size(); i++) {
            starts[i + 1] = starts[i] + nodes.get(i).count();
        }
        nodeOf = IntStream.range(0, nodes.size())
                .flatMap(node -> IntStream.range(0, nodes.get(node).count()).map(device -> node))
                .toArray();
    }

    /** One node. */
    public static Cluster of(int devices, DeviceSpec device) {
        return of(1, devices, device);
    }

    /** Equal nodes. */
    public static Cluster of(int nodes, int devicesPerNode, DeviceSpec device) {
        return new Cluster(Collections.nCopies(nodes, new Node(device, devicesPerNode)));
    }

    /** Any nodes. */
    public static Cluster of(List<Node> nodes) {
        return new Cluster(nodes);
    }

    public List<Node> nodes() {
        return nodes;
    }

    /** How many devices there are. */
    public int size() {
        return nodeOf.length;
    }

    /** @throws IndexOutOfBoundsException if there is no such device */
    public DeviceSpec device(int index) {
        return nodes.get(nodeOf(index)).device();
    }

    /** The node of a device. */
    public int nodeOf(int device) {
        if (device < 0 || device >= size()) {
            throw new IndexOutOfBoundsException("There is no device (%d); there are (%d).".formatted(device, size()));
        }
        return nodeOf[device];
    }

    /** Numbers of a node's devices. */
    public List<Integer> devicesOf(int node) {
        return IntStream.range(starts[node], starts[node + 1]).boxed().toList();
    }

    /** Devices of the largest node: the highest degree of parallelism. */
    public int largestNode() {
        return nodes.stream().mapToInt(Node::count).max().orElseThrow();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Cluster cluster && cluster.nodes.equals(nodes);
    }

    @Override
    public int hashCode() {
        return nodes.hashCode();
    }

    @Override
    public String toString() {
        return "Cluster" + nodes;
    }
}
