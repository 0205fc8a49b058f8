package io.plora.adapter;

import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

/** Adapters of seeded random values, of tiny-qwen2's shapes. */
final class RandomAdapters {

    static final int LAYERS = 4;
    static final String BASE_MODEL = "models/tiny-qwen2";

    private static final int HIDDEN = 128;
    private static final int KEY_VALUE = 64;
    private static final int INTERMEDIATE = 352;

    private RandomAdapters() {}

    static PeftAdapter create(LoraConfig config, long seed) {
        Random random = new Random(seed);
        Map<ModuleKey, LoraMatrices> modules = new HashMap<>();
        for (int layer = 0; layer < LAYERS; layer++) {
            for (TargetModule module : config.targetModules()) {
                int inputs = module == TargetModule.DOWN_PROJ ? INTERMEDIATE : HIDDEN;
                int outputs = switch (module) {
                    case Q_PROJ, O_PROJ, DOWN_PROJ -> HIDDEN;
                    case K_PROJ, V_PROJ -> KEY_VALUE;
                    case GATE_PROJ, UP_PROJ -> INTERMEDIATE;
                };
                float[] a = values(config.rank() * inputs, random);
                float[] b = values(outputs * config.rank(), random);
                modules.put(new ModuleKey(layer, module), new LoraMatrices(config.rank(), inputs, outputs, a, b));
            }
        }
        return new PeftAdapter(config, BASE_MODEL, modules);
    }

    static float[] values(int count, Random random) {
        float[] values = new float[count];
        IntStream.range(0, count).forEach(i -> values[i] = (float) random.nextGaussian() / 10);
        return values;
    }
}
