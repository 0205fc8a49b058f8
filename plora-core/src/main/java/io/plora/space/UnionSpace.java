package io.plora.space;

import java.util.stream.Stream;

/** One space after another. */
final class UnionSpace extends SearchSpace {
    private final SearchSpace first;
    private final SearchSpace second;

    UnionSpace(SearchSpace first, SearchSpace second) {
        this.first = first;
        this.second = second;
    }

    @Override
    Stream<LoraConfig> points() {
        return Stream.concat(first.points(), second.points());
    }

    @Override
    String whyEmpty() {
        return first.whyEmpty() + "; " + second.whyEmpty();
    }
}
