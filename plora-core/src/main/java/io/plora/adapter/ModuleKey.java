package io.plora.adapter;

import io.plora.space.TargetModule;
import java.util.Comparator;

/**
 * One linear layer of a decoder; ordered by layer, then module.
 *
 * @param layer decoder layer, from 0
 */
public record ModuleKey(int layer, TargetModule module) implements Comparable<ModuleKey> {

    private static final Comparator<ModuleKey> ORDER =
            Comparator.comparingInt(ModuleKey::layer).thenComparing(ModuleKey::module);

    /** Path in a decoder model of Hugging Face's, such as {@code model.layers.0.self_attn.q_proj}. */
    public String path() {
        return "model.layers.%d.%s".formatted(layer, module.path());
    }

    @Override
    public int compareTo(ModuleKey other) {
        return ORDER.compare(this, other);
    }
}
