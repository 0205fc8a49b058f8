package io.plora.space;

import java.util.List;
import java.util.stream.Stream;

/** Configurations that someone wrote down. */
final class ListedSpace extends SearchSpace {
    private final String source;
    private final List<LoraConfig> configs;

    ListedSpace(String source, List<LoraConfig> configs) {
        this.source = source;
        this.configs = List.copyOf(configs);
    }

    @Override
    Stream<LoraConfig> points() {
        return configs.stream();
    }

    @Override
    String whyEmpty() {
        return source + " has no configuration";
    }
}
