package io.plora.space;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.Lists;
import com.google.common.primitives.Booleans;
import com.google.common.primitives.Doubles;
import com.google.common.primitives.Ints;
import com.google.common.primitives.Longs;
import io.plora.kernels.OptimizerStep;
import java.util.Collection;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * Every combination of the values named. The last field varies fastest, in {@link LoraConfig}'s order of fields.
 *
 * <p>Values are checked when they are named. Each method may be called once, except those for target modules.
 */
public final class GridSpace extends SearchSpace {
    private final Dimensions<List<UnaryOperator<LoraConfig>>> dimensions;

    GridSpace(Dimensions<List<UnaryOperator<LoraConfig>>> dimensions) {
        this.dimensions = dimensions;
    }

    public GridSpace rank(int... values) {
        return with(Field.RANK, Ints.asList(values));
    }

    public GridSpace alpha(double... values) {
        return with(Field.ALPHA, Doubles.asList(values));
    }

    /** Alpha as a multiple of the rank. */
    public GridSpace alphaOverRank(double... ratios) {
        return with(Field.ALPHA_OVER_RANK, Doubles.asList(ratios));
    }

    public GridSpace learningRate(double... values) {
        return with(Field.LEARNING_RATE, Doubles.asList(values));
    }

    public GridSpace batchSize(int... values) {
        return with(Field.BATCH_SIZE, Ints.asList(values));
    }

    public GridSpace dropout(double... values) {
        return with(Field.DROPOUT, Doubles.asList(values));
    }

    /** Adds one alternative, by names such as {@code q_proj}; call again for another. */
    public GridSpace targetModules(String... names) {
        return targetModules(Field.modules(List.of(names)));
    }

    /** Adds one alternative; call again for another. */
    public GridSpace targetModules(Collection<TargetModule> modules) {
        return new GridSpace(dimensions.replace(
                Field.TARGET_MODULES,
                ImmutableList.<UnaryOperator<LoraConfig>>builder()
                        .addAll(dimensions.get(Field.TARGET_MODULES, List.of()))
                        .add(Field.TARGET_MODULES.setTo(modules))
                        .build()));
    }

    public GridSpace weightDecay(double... values) {
        return with(Field.WEIGHT_DECAY, Doubles.asList(values));
    }

    public GridSpace warmupRatio(double... values) {
        return with(Field.WARMUP_RATIO, Doubles.asList(values));
    }

    public GridSpace schedule(Schedule... values) {
        return with(Field.SCHEDULE, List.of(values));
    }

    public GridSpace rankStabilized(boolean... values) {
        return with(Field.RANK_STABILIZED, Booleans.asList(values));
    }

    public GridSpace loraPlusRatio(double... values) {
        return with(Field.LORA_PLUS_RATIO, Doubles.asList(values));
    }

    public GridSpace maxGradientNorm(double... values) {
        return with(Field.MAX_GRADIENT_NORM, Doubles.asList(values));
    }

    public GridSpace optimizer(OptimizerStep.Rule... values) {
        return with(Field.OPTIMIZER, List.of(values));
    }

    /** The same configurations with several seeds. */
    public GridSpace seeds(long... values) {
        return with(Field.SEED, Longs.asList(values));
    }

    private <T> GridSpace with(Field<T> field, List<T> values) {
        requireSome(field, values);
        return new GridSpace(
                dimensions.with(field, values.stream().map(field::setTo).toList()));
    }

    static void requireSome(Field<?> field, List<?> values) {
        if (values.isEmpty()) {
            throw new IllegalArgumentException("Search space: (%s) has no value.".formatted(field));
        }
    }

    @Override
    Stream<LoraConfig> points() {
        List<List<UnaryOperator<LoraConfig>>> axes =
                dimensions.fields().stream().map(dimensions::get).toList();
        return Lists.cartesianProduct(axes).stream().map(GridSpace::apply);
    }

    static LoraConfig apply(Iterable<UnaryOperator<LoraConfig>> settings) {
        LoraConfig config = LoraConfig.builder().build();
        for (UnaryOperator<LoraConfig> setting : settings) {
            config = setting.apply(config);
        }
        return config;
    }

    @Override
    String whyEmpty() {
        throw new IllegalStateException("A grid has at least one configuration.");
    }
}
