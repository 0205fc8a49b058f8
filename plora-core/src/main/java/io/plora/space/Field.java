package io.plora.space;

import com.google.common.base.Splitter;
import io.plora.kernels.OptimizerStep;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * A field of {@link LoraConfig} that a search space varies: how it is set, and how it is written in a CSV file.
 *
 * @param name column name
 * @param alias second column name, that of PEFT where it differs
 */
record Field<T>(String name, String alias, Function<String, T> parser, BiFunction<LoraConfig, T, LoraConfig> setter) {

    static final Field<Integer> RANK = field("rank", "r", Field::integer, LoraConfig.Builder::withRank);
    static final Field<Double> ALPHA = field("alpha", "lora_alpha", Field::real, LoraConfig.Builder::withAlpha);
    static final Field<Double> ALPHA_OVER_RANK =
            new Field<>("alpha_over_rank", "alpha_over_rank", Field::real, Field::setAlphaOverRank);
    static final Field<Double> LEARNING_RATE =
            field("learning_rate", "learning_rate", Field::real, LoraConfig.Builder::withLearningRate);
    static final Field<Integer> BATCH_SIZE =
            field("batch_size", "batch_size", Field::integer, LoraConfig.Builder::withBatchSize);
    static final Field<Double> DROPOUT = field("dropout", "lora_dropout", Field::real, LoraConfig.Builder::withDropout);
    static final Field<Collection<TargetModule>> TARGET_MODULES =
            field("target_modules", "target_modules", Field::modules, LoraConfig.Builder::withTargetModules);
    static final Field<Double> WEIGHT_DECAY =
            field("weight_decay", "weight_decay", Field::real, LoraConfig.Builder::withWeightDecay);
    static final Field<Double> WARMUP_RATIO =
            field("warmup_ratio", "warmup_ratio", Field::real, LoraConfig.Builder::withWarmupRatio);
    static final Field<Schedule> SCHEDULE =
            field("schedule", "lr_scheduler_type", oneOf(Schedule.values()), LoraConfig.Builder::withSchedule);
    static final Field<Boolean> RANK_STABILIZED =
            field("rank_stabilized", "use_rslora", Field::flag, LoraConfig.Builder::withRankStabilized);
    static final Field<Double> LORA_PLUS_RATIO =
            field("lora_plus_ratio", "loraplus_lr_ratio", Field::real, LoraConfig.Builder::withLoraPlusRatio);
    static final Field<Double> MAX_GRADIENT_NORM =
            field("max_gradient_norm", "max_grad_norm", Field::real, LoraConfig.Builder::withMaxGradientNorm);
    static final Field<OptimizerStep.Rule> OPTIMIZER =
            field("optimizer", "optim", oneOf(OptimizerStep.Rule.values()), LoraConfig.Builder::withOptimizer);
    static final Field<Long> SEED = field("seed", "seed", Field::whole, LoraConfig.Builder::withSeed);

    /** All fields, each after those that it needs: alpha over rank after rank. */
    static final List<Field<?>> ALL = List.of(
            RANK,
            ALPHA,
            ALPHA_OVER_RANK,
            LEARNING_RATE,
            BATCH_SIZE,
            DROPOUT,
            TARGET_MODULES,
            WEIGHT_DECAY,
            WARMUP_RATIO,
            SCHEDULE,
            RANK_STABILIZED,
            LORA_PLUS_RATIO,
            MAX_GRADIENT_NORM,
            OPTIMIZER,
            SEED);

    private static final Splitter MODULE_NAMES = Splitter.onPattern("[\\s,;+]+").omitEmptyStrings();

    private static <T> Field<T> field(
            String name,
            String alias,
            Function<String, T> parser,
            BiFunction<LoraConfig.Builder, T, LoraConfig.Builder> setter) {
        return new Field<>(
                name,
                alias,
                parser,
                (config, value) -> setter.apply(config.toBuilder(), value).build());
    }

    private static LoraConfig setAlphaOverRank(LoraConfig config, double ratio) {
        if (!(ratio > 0)) { // the alpha that follows is not what anyone wrote
            throw new IllegalArgumentException(
                    "LoRA configuration: alpha over rank (%s) must be positive.".formatted(ratio));
        }
        return config.toBuilder().withAlpha(ratio * config.rank()).build();
    }

    static Optional<Field<?>> ofColumn(String column) {
        return ALL.stream()
                .filter(field -> field.name.equals(column) || field.alias.equals(column))
                .findFirst();
    }

    /** What sets this field to a value, checked here and now. */
    UnaryOperator<LoraConfig> setTo(T value) {
        setter.apply(LoraConfig.builder().build(), value);
        return config -> setter.apply(config, value);
    }

    /** What sets this field to the value that a text stands for. */
    UnaryOperator<LoraConfig> parse(String text) {
        return setTo(parser.apply(text));
    }

    @Override
    public String toString() {
        return name;
    }

    private static Integer integer(String text) {
        return number(text, Integer::valueOf, "whole number");
    }

    private static Long whole(String text) {
        return number(text, Long::valueOf, "whole number");
    }

    private static Double real(String text) {
        return number(text, Double::valueOf, "number");
    }

    private static <N> N number(String text, Function<String, N> parser, String expected) {
        try {
            return parser.apply(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("This is no " + expected + ".", e);
        }
    }

    private static Boolean flag(String text) {
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "true" -> true;
            case "false" -> false;
            default -> throw new IllegalArgumentException("This is neither true nor false.");
        };
    }

    private static <E extends Enum<E>> Function<String, E> oneOf(E[] values) {
        return text -> Arrays.stream(values)
                .filter(value -> value.name().equalsIgnoreCase(text))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        "Maybe use one of " + Arrays.toString(values).toLowerCase(Locale.ROOT) + "."));
    }

    private static Collection<TargetModule> modules(String text) {
        return modules(MODULE_NAMES.splitToList(text));
    }

    static Collection<TargetModule> modules(List<String> names) {
        return names.stream().map(TargetModule::of).toList();
    }
}
