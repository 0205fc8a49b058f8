package io.plora.cost;

import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * How a sweep uses the memory of its devices: keeping less of the forward pass leaves room for more tokens at once, which
 * pays as long as an iteration costs much beside its tokens, and costs the time of computing it again.
 *
 * @param policy what is kept
 * @param tokenBudget most tokens of an iteration that pay; memory may hold fewer beside the adapters
 */
public record ActivationChoice(ActivationPolicy policy, int tokenBudget) {
    /** Keeping less, or taking twice the tokens, must gain more than this share of the time of a token. */
    private static final double GAIN_THAT_PAYS = 0.02;

    private static final int FEWEST_TOKENS = 64;
    private static final int MOST_TOKENS = 1 << 16;

    /**
     * What is to be trained.
     *
     * @param configs one of each adapter
     * @param meanTokens of a sample
     * @param longest sample in tokens
     */
    public record Load(List<LoraConfig> configs, double meanTokens, int longest) {
        public Load {
            configs = List.copyOf(configs);
            if (configs.isEmpty() || !(meanTokens >= 1) || longest < meanTokens) {
                throw new IllegalArgumentException(
                        "A load of (%d) configurations, samples of (%s) tokens in the mean and (%d) at most."
                                .formatted(configs.size(), meanTokens, longest));
            }
        }

        private double mean(ToLongFunction<LoraConfig> amount) {
            return configs.stream().mapToLong(amount).average().orElseThrow();
        }
    }

    /** The mean adapter of a load. */
    private record Member(long parameters, double sampleTokens, double batchTokens) {
        private static Member of(Load load, ModelConfig model) {
            return new Member(
                    (long) load.mean(config -> MemoryModel.adapterParameters(model, config)),
                    load.meanTokens(),
                    load.mean(LoraConfig::batchSize) * load.meanTokens());
        }

        /** An iteration of so many tokens, of at most so many adapters. */
        private GroupWork work(double tokens, double adapters) {
            double sequences = tokens / sampleTokens;
            double parts = Math.min(adapters, sequences);
            double pairs = tokens * (sampleTokens + 1) / 2;
            return GroupWork.of(
                            parameters, tokens / parts, sequences / parts, pairs / parts, tokens / parts / batchTokens)
                    .times(parts);
        }
    }

    /**
     * Chooses the policy under which a token takes least time, on one device, with as many adapters beside it as make best
     * use of the memory; where it makes little difference the one that keeps most. Where the largest adapter with the longest
     * sample fits under no policy, the one that needs least.
     *
     * @param memory of the model, whatever its policy
     * @param time of iterations under a policy, of which the {@link GroupTime#bound} counts: more work costs more under it
     * @param memoryBytes of a device
     * @param mostTokens of an iteration; null for as many as pay
     */
    public static ActivationChoice of(
            Load load,
            MemoryModel memory,
            Function<ActivationPolicy, ? extends GroupTime> time,
            long memoryBytes,
            @Nullable Integer mostTokens) {
        Member member = Member.of(load, memory.model());
        int budget = mostTokens == null
                ? tokensThatPay(member, time.apply(ActivationPolicy.KEEP_ALL).bound())
                : mostTokens;
        ActivationPolicy best = ActivationPolicy.KEEP_ALL;
        double least = Double.POSITIVE_INFINITY;
        for (ActivationPolicy policy : ActivationPolicy.values()) {
            MemoryModel under = memory.withActivationPolicy(policy);
            double seconds =
                    secondsOfToken(load, member, under, time.apply(policy).bound(), memoryBytes, budget);
            if (least == Double.POSITIVE_INFINITY || seconds < (1 - GAIN_THAT_PAYS) * least) {
                least = seconds;
                best = policy;
            }
        }
        return new ActivationChoice(best, budget);
    }

    /** Doubles the tokens, and with them the adapters, until that gains too little. */
    private static int tokensThatPay(Member member, GroupTime time) {
        int tokens = FEWEST_TOKENS;
        double seconds = secondsOfToken(member, time, tokens);
        while (tokens < MOST_TOKENS) {
            double ofTwice = secondsOfToken(member, time, 2 * tokens);
            if (ofTwice >= (1 - GAIN_THAT_PAYS) * seconds) {
                return tokens;
            }
            tokens *= 2;
            seconds = ofTwice;
        }
        return tokens;
    }

    private static double secondsOfToken(Member member, GroupTime time, int tokens) {
        return time.seconds(member.work(tokens, tokens / member.batchTokens()), 1) / tokens;
    }

    /** With the number of adapters that is best; infinite where one of them does not fit alone. */
    private static double secondsOfToken(
            Load load, Member member, MemoryModel memory, GroupTime time, long memoryBytes, int mostTokens) {
        double least = Double.POSITIVE_INFINITY;
        if (!load.configs().stream().allMatch(config -> fitsAlone(load, memory, config, memoryBytes))) {
            return least;
        }
        double adapterBytes = load.mean(config -> memory.adapterBytes(config, 1));
        double tokenBytes = load.mean(config -> memory.tokenBytes(config, 1));
        double room = memoryBytes - memory.baseBytes(1);
        double most = Math.max(mostTokens, member.sampleTokens());
        for (int adapters = 1; adapters <= load.configs().size(); adapters++) {
            double held = (room - adapters * adapterBytes) / tokenBytes;
            double tokens = Math.min(most, Math.min(held, adapters * member.batchTokens()));
            if (tokens < member.sampleTokens()) {
                break;
            }
            least = Math.min(least, time.seconds(member.work(tokens, adapters), 1) / tokens);
        }
        return least;
    }

    private static boolean fitsAlone(Load load, MemoryModel memory, LoraConfig config, long memoryBytes) {
        return memory.baseBytes(1) + memory.adapterBytes(config, 1) + load.longest() * memory.tokenBytes(config, 1)
                <= memoryBytes;
    }
}
