package io.plora;

import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.util.List;

/**
 * A sweep that is about to start.
 *
 * @param configs what it trains in this run; a resumed sweep leaves out what is done
 * @param devices what computes, in words
 * @param tokens training tokens expected in this run
 * @param steps optimizer steps expected in this run
 * @param metric what it ranks by
 * @param output its folder
 */
public record SweepStart(
        List<LoraConfig> configs, String devices, long tokens, long steps, Metric metric, Path output) {

    public SweepStart {
        configs = List.copyOf(configs);
    }
}
