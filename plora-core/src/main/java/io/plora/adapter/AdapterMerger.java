package io.plora.adapter;

import io.plora.model.AtomicFiles;
import io.plora.model.Checkpoint;
import io.plora.model.ModelFormatException;
import io.plora.model.Safetensors;
import io.plora.model.TensorData;
import io.plora.model.TensorInfo;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Merges an adapter into its base model: W + s B A, computed in double precision.
 *
 * <p>The new folder has the base model's files, shards and index, other weights and the same configuration and
 * tokenizer. Rows are read, merged and written a few at a time: no second copy of the model is held.
 */
public final class AdapterMerger {

    /** Files copied besides weights: configuration, tokenizer, chat template, licence. */
    private static final Set<String> COPIED_EXTENSIONS = Set.of("json", "jinja", "txt", "model");

    private static final List<String> COPIED_PREFIXES = List.of("LICENSE", "NOTICE", "USE_POLICY");

    private static final String INDEX_SUFFIX = ".index.json";

    private final Checkpoint base;
    private final PeftAdapter adapter;

    private AdapterMerger(Checkpoint base, PeftAdapter adapter) {
        this.base = base;
        this.adapter = adapter;
    }

    /**
     * Writes the merged model, as {@link AtomicFiles#writeFolder} does.
     *
     * @param baseModel a Hugging Face folder
     * @param output a folder that is empty or does not exist
     * @throws IllegalArgumentException if the adapter does not fit the model, or the output folder holds anything
     * @throws ModelFormatException if the model is incomplete or malformed
     * @throws java.io.UncheckedIOException if the output cannot be written
     */
    public static void merge(Path baseModel, PeftAdapter adapter, Path output) {
        try (Checkpoint base = Checkpoint.open(baseModel)) {
            AdapterMerger merger = new AdapterMerger(base, adapter);
            merger.requireFits();
            AtomicFiles.writeFolder(output, Set.of(), merger::write);
        }
    }

    private void requireFits() {
        adapter.modules().forEach((key, matrices) -> {
            TensorInfo weight = base.info(weightName(key));
            long[] shape = weight.shape();
            if (shape.length != 2) {
                throw new ModelFormatException(
                        base.folder(), "weight (%s) of (%s) is no matrix.".formatted(weightName(key), weight));
            }
            adapter.requireShape(key, matrices, shape[0], shape[1]);
        });
    }

    private static String weightName(ModuleKey key) {
        return key.path() + ".weight";
    }

    private void write(Path folder) throws IOException {
        for (Safetensors shard : base.shards()) {
            Map<String, TensorData> merged = new LinkedHashMap<>();
            adapter.modules().forEach((key, matrices) -> {
                String name = weightName(key);
                if (shard.names().contains(name)) {
                    merged.put(
                            name,
                            new MergedWeight(
                                    shard, name, matrices, adapter.config().scale()));
                }
            });
            shard.copyTo(folder.resolve(shard.file().getFileName()), merged);
        }
        try (Stream<Path> files = Files.list(base.folder())) {
            for (Path file : files.filter(this::isCopied).toList()) {
                AtomicFiles.writeFile(
                        folder.resolve(file.getFileName()),
                        output -> Files.copy(file, Channels.newOutputStream(output)));
            }
        }
    }

    private boolean isCopied(Path file) {
        String name = file.getFileName().toString();
        if (!Files.isRegularFile(file) || name.startsWith(".")) {
            return false;
        }
        if (name.endsWith(INDEX_SUFFIX)) {
            return base.isSharded() && name.equals(Checkpoint.INDEX_FILE);
        }
        return COPIED_EXTENSIONS.contains(name.substring(name.lastIndexOf('.') + 1))
                || COPIED_PREFIXES.stream().anyMatch(name::startsWith);
    }
}
