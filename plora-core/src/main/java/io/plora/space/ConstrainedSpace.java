package io.plora.space;

import java.util.function.Predicate;
import java.util.stream.Stream;

/** The part of a space that satisfies a constraint. */
final class ConstrainedSpace extends SearchSpace {
    private final SearchSpace space;
    private final Predicate<? super LoraConfig> constraint;

    ConstrainedSpace(SearchSpace space, Predicate<? super LoraConfig> constraint) {
        this.space = space;
        this.constraint = constraint;
    }

    @Override
    Stream<LoraConfig> points() {
        return space.points().filter(constraint);
    }

    @Override
    String whyEmpty() {
        long before = space.points().count();
        return before == 0
                ? space.whyEmpty()
                : "none of (%d) configurations satisfies the constraint. Maybe relax where(...)".formatted(before);
    }
}
