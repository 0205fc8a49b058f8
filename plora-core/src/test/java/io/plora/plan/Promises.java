package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.cost.GroupMemory;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a sweep promises whatever its policy, checked with bookkeeping and arithmetic of its own: memory and token budget are
 * never exceeded, no device is in two groups, no trial either, every sample of every epoch is trained once and in order, no
 * batch spans two epochs.
 */
final class Promises implements SweepObserver {
    private final SampleLengths lengths;
    private final int epochs;
    private final int tokenBudget;
    private final GroupMemory memory;
    private final Map<Integer, DeviceState> devices = new HashMap<>();
    private final Map<Integer, Group> groups = new HashMap<>();
    private final Map<Integer, Integer> batchOf = new HashMap<>();
    private final Map<Integer, Long> done = new HashMap<>();
    private final Map<Integer, EndReason> ended = new HashMap<>();
    private final SweepState state;

    /** A group as decisions have made it. */
    private static final class Group {
        private final List<Integer> devices;
        private final Set<Integer> members = new HashSet<>();
        private SortedMap<Integer, Integer> shares = new TreeMap<>();
        private boolean filled;
        private int left;

        Group(List<Integer> devices) {
            this.devices = devices;
        }
    }

    /** @param state before anything is decided */
    Promises(SweepState state, SampleLengths lengths, int epochs) {
        this.state = state;
        this.lengths = lengths;
        this.epochs = epochs;
        tokenBudget = state.tokenBudget();
        memory = state.memory();
        state.devices().forEach(device -> devices.put(device.index(), device));
        for (TrialState trial : state.trials()) {
            batchOf.put(trial.index(), trial.config().batchSize());
            done.put(trial.index(), trial.samplesDone());
        }
    }

    @Override
    public void decided(Decision decision, SweepState after) {
        decision.actions().forEach(this::follow);
        groups.values().forEach(this::checkMemory);
        assertThat(groups.values().stream()
                        .map(group -> group.devices)
                        .flatMap(Collection::stream)
                        .toList())
                .as("no device in two groups")
                .doesNotHaveDuplicates();
    }

    private void follow(Action action) {
        if (action instanceof Action.OpenGroup open) {
            open(open);
            return;
        }
        Group group = groups.get(action.group());
        assertThat(group).as("group %d is open", action.group()).isNotNull();
        assertThat(group.left)
                .as("group %d is between iterations", action.group())
                .isZero();
        if (action instanceof Action.Join join) {
            assertThat(ended).as("who joins has not ended").doesNotContainKey(join.trial());
            assertThat(groups.values())
                    .as("trial %d is in no group", join.trial())
                    .noneMatch(other -> other.members.contains(join.trial()));
            group.members.add(join.trial());
        } else if (action instanceof Action.Leave leave) {
            assertThat(group.members.remove(leave.trial()))
                    .as("who leaves was a member")
                    .isTrue();
        } else if (action instanceof Action.CloseGroup close) {
            assertThat(group.members).as("who closes is empty").isEmpty();
            groups.remove(close.group());
        } else if (action instanceof Action.Iterate iterate) {
            assertThat(group.members).containsAll(iterate.samples().keySet());
            group.shares = iterate.samples();
            group.filled = iterate.filled();
            group.left = iterate.repeat();
        }
    }

    private void open(Action.OpenGroup open) {
        assertThat(open.devices())
                .as("a power of two")
                .hasSize(Integer.highestOneBit(open.devices().size()));
        assertThat(devices).as("devices work").containsKeys(open.devices().toArray(Integer[]::new));
        assertThat(open.devices().stream()
                        .map(device -> devices.get(device).node())
                        .distinct())
                .as("one node")
                .hasSize(1);
        groups.put(open.group(), new Group(open.devices()));
    }

    private void checkMemory(Group group) {
        assertThat(membersBytes(group)).as("members fit").isLessThanOrEqualTo(limit(group));
        Map<Integer, Long> positions = new HashMap<>(done);
        for (int i = 0; i < group.left; i++) {
            iterate(group, positions);
        }
    }

    private long limit(Group group) {
        return group.devices.stream()
                .mapToLong(device -> devices.get(device).memoryBytes())
                .min()
                .orElseThrow();
    }

    private long membersBytes(Group group) {
        int degree = group.devices.size();
        return memory.baseBytes(degree)
                + group.members.stream()
                        .mapToLong(
                                trial -> memory.adapterBytes(state.trial(trial).config(), degree))
                        .sum();
    }

    /** Goes on by an iteration, sample by sample; a filled one leaves out what does not fit, the smallest batches come first. */
    private void iterate(Group group, Map<Integer, Long> positions) {
        long limit = limit(group);
        long bytes = membersBytes(group);
        long tokens = 0;
        long samples = 0;
        List<Integer> order = new ArrayList<>(group.shares.keySet());
        if (group.filled) {
            order.sort(Comparator.comparingInt(batchOf::get));
        }
        for (int trial : order) {
            long tokenBytes = memory.tokenBytes(state.trial(trial).config(), group.devices.size());
            long position = positions.get(trial);
            long end = next(trial, position, group.shares.get(trial));
            while (position < end) {
                long length = tokens(trial, position, position + 1);
                boolean fits = bytes + length * tokenBytes <= limit && (samples == 0 || tokens + length <= tokenBudget);
                if (group.filled && !fits) {
                    break;
                }
                bytes += length * tokenBytes;
                tokens += length;
                samples++;
                position++;
            }
            positions.put(trial, position);
        }
        assertThat(samples).as("samples of an iteration").isPositive();
        assertThat(bytes).as("memory of an iteration").isLessThanOrEqualTo(limit);
        assertThat(samples == 1 || tokens <= tokenBudget)
                .as("token budget holds for %d tokens", tokens)
                .isTrue();
    }

    /** Where an iteration ends that begins at a sample: at most the share on, not beyond the batch nor the epoch. */
    private long next(int trial, long position, int share) {
        int samples = samples(trial);
        int batch = batchOf.get(trial);
        assertThat(position / samples).as("trial %d has samples left", trial).isLessThan(epochs);
        assertThat(share).as("a share is at most a batch").isBetween(1, batch);
        long from = position % samples;
        return position - from + Math.min(Math.min(from + share, (from / batch + 1) * batch), samples);
    }

    private int samples(int trial) {
        return lengths.lengths(trial, 0).length;
    }

    /** Of samples of one epoch. */
    private long tokens(int trial, long from, long to) {
        int samples = samples(trial);
        int[] epoch = lengths.lengths(trial, (int) (from / samples));
        long sum = 0;
        for (long sample = from; sample < to; sample++) {
            sum += epoch[(int) (sample % samples)];
        }
        return sum;
    }

    @Override
    public void finished(GroupState group, int iterations, SortedMap<Integer, Integer> samples) {
        Group own = groups.get(group.id());
        assertThat(iterations).as("as many as were decided").isBetween(1, own.left);
        Map<Integer, Long> before = new HashMap<>(done);
        for (int i = 0; i < iterations; i++) {
            iterate(own, done);
        }
        assertThat(samples.keySet()).as("who takes part").isSubsetOf(own.shares.keySet());
        own.shares
                .keySet()
                .forEach(trial -> assertThat(done.get(trial) - before.get(trial))
                        .as("samples of trial %d", trial)
                        .isEqualTo((long) samples.getOrDefault(trial, 0)));
        own.left = group.stretch() == null ? 0 : own.left - iterations;
    }

    @Override
    public void ended(TrialState trial, EndReason reason) {
        assertThat(ended.put(trial.index(), reason)).as("ends once").isNull();
        assertThat(trial.samplesDone()).as("samples of trial %d", trial.index()).isEqualTo(done.get(trial.index()));
        if (reason == EndReason.COMPLETED) {
            long total = (long) epochs * samples(trial.index());
            assertThat(done).as("all samples").containsEntry(trial.index(), total);
        }
        groups.values().stream()
                .filter(group -> group.members.remove(trial.index()))
                .forEach(group -> group.left = 0);
    }

    @Override
    public void lost(int device) {
        devices.remove(device);
        List<Integer> gone = new ArrayList<>();
        groups.forEach((id, group) -> {
            if (group.devices.contains(device)) {
                gone.add(id);
                group.members.forEach(this::backToBatch);
            }
        });
        gone.forEach(groups::remove);
    }

    private void backToBatch(int trial) {
        long position = done.get(trial) % samples(trial);
        done.merge(trial, -(position % batchOf.get(trial)), Long::sum);
    }

    /** At the end of the sweep. */
    void checkEnd() {
        assertThat(ended.keySet()).as("all trials end").isEqualTo(done.keySet());
    }
}
