package io.plora.adapter;

import io.plora.kernels.DType;
import io.plora.model.ModelFormatException;
import io.plora.model.Safetensors;
import io.plora.model.SafetensorsWriter;
import io.plora.model.TensorData;
import io.plora.model.TensorInfo;
import io.plora.space.TargetModule;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** PEFT's {@code adapter_model.safetensors}. */
final class AdapterWeightsFile {

    static final String NAME = "adapter_model.safetensors";

    private AdapterWeightsFile() {}

    static void write(Path folder, Map<ModuleKey, LoraMatrices> modules) {
        SafetensorsWriter writer = new SafetensorsWriter();
        modules.forEach((key, matrices) -> {
            TensorInfo a = new TensorInfo(DType.F32, matrices.rank(), matrices.inputs());
            TensorInfo b = new TensorInfo(DType.F32, matrices.outputs(), matrices.rank());
            writer.withTensor(name(key, "A"), a, TensorData.of(matrices.a()));
            writer.withTensor(name(key, "B"), b, TensorData.of(matrices.b()));
        });
        writer.write(folder.resolve(NAME));
    }

    /**
     * @throws ModelFormatException if the file is missing or malformed, has tensors of other modules than the target
     *     modules of some number of layers, or of shapes that do not fit the rank
     */
    static Map<ModuleKey, LoraMatrices> read(Path folder, Set<TargetModule> targets, int rank) {
        try (Safetensors file = Safetensors.open(folder.resolve(NAME))) {
            Map<ModuleKey, LoraMatrices> modules = new TreeMap<>();
            Set<String> unread = new HashSet<>(file.names());
            for (int layer = 0; layer == 0 || !unread.isEmpty(); layer++) {
                for (TargetModule target : targets) {
                    ModuleKey key = new ModuleKey(layer, target);
                    modules.put(key, read(file, key, rank, unread));
                }
            }
            return modules;
        }
    }

    private static LoraMatrices read(Safetensors file, ModuleKey key, int rank, Set<String> unread) {
        String a = name(key, "A");
        String b = name(key, "B");
        if (!file.names().contains(a) || !file.names().contains(b)) {
            throw new ModelFormatException(
                    file.file(),
                    "module (%s) needs (%s) and (%s).%s Maybe the file does not belong to (%s)."
                            .formatted(key.path(), a, b, others(unread), AdapterConfigFile.NAME));
        }
        unread.remove(a);
        unread.remove(b);
        long[] shapeA = file.info(a).shape();
        long[] shapeB = file.info(b).shape();
        if (shapeA.length != 2 || shapeB.length != 2 || shapeA[0] != rank || shapeB[1] != rank) {
            throw new ModelFormatException(
                    file.file(),
                    "module (%s) has A of shape (%s) and B of shape (%s); rank (%d) needs [r, inputs] and [outputs, r]."
                            .formatted(key.path(), Arrays.toString(shapeA), Arrays.toString(shapeB), rank));
        }
        return new LoraMatrices(rank, (int) shapeA[1], (int) shapeB[0], file.floats(a), file.floats(b));
    }

    private static String others(Set<String> unread) {
        return unread.stream()
                .sorted()
                .findFirst()
                .map(" Among the tensors that are there is (%s)."::formatted)
                .orElse("");
    }

    private static String name(ModuleKey key, String matrix) {
        return "base_model.model.%s.lora_%s.weight".formatted(key.path(), matrix);
    }
}
