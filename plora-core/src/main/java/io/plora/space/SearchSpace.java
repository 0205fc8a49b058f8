package io.plora.space;

import com.google.common.collect.ImmutableList;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The configurations that a sweep tries. Immutable: every method that narrows or widens a space returns a new one.
 *
 * <pre>{@code
 * SearchSpace space = SearchSpace.grid()
 *         .rank(8, 16, 32)
 *         .alphaOverRank(0.5, 1, 2)
 *         .learningRate(1e-4, 4e-4)
 *         .batchSize(1, 4)
 *         .where(config -> config.rank() < 32 || config.batchSize() == 1);
 * }</pre>
 */
public abstract sealed class SearchSpace permits GridSpace, RandomSpace, ListedSpace, ConstrainedSpace, UnionSpace {
    private static final Logger LOGGER = LoggerFactory.getLogger(SearchSpace.class);

    SearchSpace() {}

    /** Every combination of the values named; fields not named keep {@link LoraConfig#builder}'s defaults. */
    public static GridSpace grid() {
        return new GridSpace(Dimensions.none());
    }

    /**
     * Configurations drawn at random (Bergstra and Bengio 2012). The i-th does not depend on how many are drawn.
     *
     * @param count how many to draw
     */
    public static RandomSpace random(int count, long seed) {
        return new RandomSpace(count, seed, Dimensions.none());
    }

    /** Exactly these configurations. */
    public static SearchSpace of(List<LoraConfig> configs) {
        return new ListedSpace("the list", configs);
    }

    /**
     * One configuration a row of a CSV file with a header. Columns are the fields of {@link LoraConfig} in snake case, each
     * optional: {@code rank}, {@code alpha} or {@code alpha_over_rank}, {@code learning_rate}, {@code batch_size},
     * {@code dropout}, {@code target_modules} (names separated by spaces), {@code weight_decay}, {@code warmup_ratio},
     * {@code schedule}, {@code rank_stabilized}, {@code lora_plus_ratio}, {@code max_gradient_norm}, {@code optimizer},
     * {@code seed}; PEFT's names such as {@code lora_alpha} are understood.
     *
     * <p>The file may also be a sweep's {@code trials.csv}, whole or some of its rows: where there is a column {@code id}, it
     * must hold each configuration's {@link LoraConfig#id}, and columns that are no fields are passed over.
     *
     * @throws IllegalArgumentException naming file, line, column and value where the file is malformed
     * @throws java.io.UncheckedIOException if the file cannot be read
     */
    public static SearchSpace csv(Path file) {
        return new ListedSpace(file.toString(), SpaceCsv.read(file));
    }

    /** The configurations of this space that satisfy a constraint. */
    public final SearchSpace where(Predicate<? super LoraConfig> constraint) {
        return new ConstrainedSpace(this, constraint);
    }

    /** The configurations of this space, then those of another. */
    public final SearchSpace and(SearchSpace other) {
        return new UnionSpace(this, other);
    }

    /**
     * The configurations, each once, in the space's order.
     *
     * @throws IllegalArgumentException if there are none
     */
    public final List<LoraConfig> configs() {
        List<LoraConfig> all = points().toList();
        if (all.isEmpty()) {
            throw new IllegalArgumentException("The search space is empty: %s.".formatted(whyEmpty()));
        }
        Set<LoraConfig> distinct = new LinkedHashSet<>(all);
        if (distinct.size() < all.size()) {
            LOGGER.info(
                    "Search space: left out {} duplicates, {} configurations remain",
                    all.size() - distinct.size(),
                    distinct.size());
        }
        return ImmutableList.copyOf(distinct);
    }

    /** The configurations, possibly with duplicates. */
    abstract Stream<LoraConfig> points();

    /** Why there are no configurations, for a person; asked only where there are none. */
    abstract String whyEmpty();
}
