package io.plora.adapter;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.model.AtomicFiles;
import io.plora.model.ModelConfig;
import io.plora.model.ModelFormatException;
import io.plora.model.StrictJson;
import io.plora.space.LoraConfig;
import io.plora.space.LoraConfigJson;
import io.plora.space.TargetModule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A trained adapter in host memory, and its folder in the format of Hugging Face's PEFT, which vLLM loads too.
 *
 * <p>The folder holds {@code adapter_config.json}, {@code adapter_model.safetensors} (float32), the whole
 * configuration of the training in {@code plora.json} and, where asked for, what resuming needs in {@value
 * TrainingState#FILE}. It is written as {@link AtomicFiles} says: under its name there is never a half-written
 * adapter.
 */
public final class PeftAdapter {

    private static final String PLORA_FILE = "plora.json";
    private static final String CONFIG = "config";

    private static final Set<String> FILES =
            Set.of(AdapterConfigFile.NAME, AdapterWeightsFile.NAME, PLORA_FILE, TrainingState.FILE);

    private final LoraConfig config;
    private final String baseModel;
    private final SortedMap<ModuleKey, LoraMatrices> modules;

    /**
     * @param baseModel name or path of the model that the adapter was trained on; empty if unknown
     * @param modules all target modules of every decoder layer
     * @throws IllegalArgumentException if a module is missing, is no target module or has another rank
     */
    public PeftAdapter(LoraConfig config, String baseModel, Map<ModuleKey, LoraMatrices> modules) {
        this.config = config;
        this.baseModel = baseModel;
        this.modules = Collections.unmodifiableSortedMap(new TreeMap<>(modules));
        if (modules.isEmpty()) {
            throw new IllegalArgumentException("The adapter has no module.");
        }
        requireTargetModules();
    }

    private void requireTargetModules() {
        for (int layer = 0; layer < layers(); layer++) {
            for (TargetModule target : config.targetModules()) {
                ModuleKey key = new ModuleKey(layer, target);
                if (!modules.containsKey(key)) {
                    throw new IllegalArgumentException("Module (%s) is missing.".formatted(key.path()));
                }
            }
        }
        modules.forEach((key, matrices) -> {
            if (!config.targetModules().contains(key.module()) || matrices.rank() != config.rank()) {
                throw new IllegalArgumentException(
                        "Module (%s) of rank (%d) does not fit a configuration of rank (%d) and target modules (%s)."
                                .formatted(key.path(), matrices.rank(), config.rank(), config.targetModules()));
            }
        });
    }

    public LoraConfig config() {
        return config;
    }

    /** Name or path of the base model; empty if unknown. */
    public String baseModel() {
        return baseModel;
    }

    /** A and B of each module, by layer, then module. */
    public SortedMap<ModuleKey, LoraMatrices> modules() {
        return modules;
    }

    /** Number of decoder layers. */
    public int layers() {
        return modules.lastKey().layer() + 1;
    }

    /** Number of trained values. */
    public long parameters() {
        return modules.values().stream()
                .mapToLong(matrices -> (long) matrices.a().length + matrices.b().length)
                .sum();
    }

    /**
     * Checks that the adapter is one for a base model.
     *
     * @throws IllegalArgumentException naming the first thing that does not fit
     */
    public void requireFits(ModelConfig model) {
        if (layers() != model.layers()) {
            throw new IllegalArgumentException(
                    "The adapter has (%d) layers, the model (%d). Maybe the adapter was trained on another model (%s)."
                            .formatted(layers(), model.layers(), baseModel));
        }
        modules.forEach((key, matrices) ->
                requireShape(key, matrices, model.outputs(key.module()), model.inputs(key.module())));
    }

    /**
     * Checks that a training with a configuration can go on with the adapter: its rank and target modules are the adapter's.
     * Other fields may differ; another alpha scales what the adapter adds.
     *
     * @throws IllegalArgumentException naming both
     */
    public void requireFits(LoraConfig other) {
        if (other.rank() != config.rank() || !other.targetModules().equals(config.targetModules())) {
            throw new IllegalArgumentException(
                    ("The saved adapter has rank (%d) and target modules (%s), configuration (%s) rank (%d) and target modules"
                                    + " (%s). Maybe give the configuration those of the adapter.")
                            .formatted(
                                    config.rank(),
                                    config.targetModules(),
                                    other.id(),
                                    other.rank(),
                                    other.targetModules()));
        }
    }

    /** Checks the shape of the weight that a module is added to. */
    void requireShape(ModuleKey key, LoraMatrices matrices, long outputs, long inputs) {
        if (matrices.outputs() != outputs || matrices.inputs() != inputs) {
            throw new IllegalArgumentException(
                    ("The adapter's (%s) is for a weight of shape [%d, %d], the model's is [%d, %d]."
                                    + " Maybe the adapter was trained on another model (%s).")
                            .formatted(key.path(), matrices.outputs(), matrices.inputs(), outputs, inputs, baseModel));
        }
    }

    /**
     * Writes the adapter, in place of one that is there.
     *
     * @throws java.io.UncheckedIOException if it cannot be written; what was there stays
     * @throws IllegalArgumentException if the folder holds anything but an adapter of ours
     */
    public void save(Path folder) {
        AtomicFiles.writeFolder(folder, FILES, this::write);
    }

    /**
     * Writes the adapter where another folder holds it already: as {@link #save(Path)}, but the weights are linked rather than
     * written again, if the file system can.
     *
     * @param same what {@link #save(Path)} of this adapter has written
     */
    public void save(Path folder, Path same) {
        AtomicFiles.writeFolder(folder, FILES, unfinished -> {
            if (!AtomicFiles.link(unfinished.resolve(AdapterWeightsFile.NAME), same.resolve(AdapterWeightsFile.NAME))) {
                AdapterWeightsFile.write(unfinished, modules);
            }
            writeConfig(unfinished);
        });
    }

    /**
     * Writes the adapter and what resuming its training needs, both or none; otherwise as {@link #save(Path)}.
     *
     * @throws IllegalArgumentException also if the state is of another number of parameters
     */
    public void save(Path folder, TrainingState state) {
        long moments = state.firstMoment().length;
        if (moments != 0 && moments != parameters()) {
            throw new IllegalArgumentException("The training state has moments of (%d) parameters, the adapter (%d)."
                    .formatted(moments, parameters()));
        }
        AtomicFiles.writeFolder(folder, FILES, unfinished -> {
            write(unfinished);
            state.save(unfinished);
        });
    }

    private void write(Path folder) {
        AdapterWeightsFile.write(folder, modules);
        writeConfig(folder);
    }

    private void writeConfig(Path folder) {
        AdapterConfigFile.write(folder, config, baseModel);
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.set(CONFIG, LoraConfigJson.write(config));
        StrictJson.writeObject(folder.resolve(PLORA_FILE), json);
    }

    /**
     * Reads an adapter of ours, or one of PEFT's own: then what PEFT does not store has its default in the
     * configuration.
     *
     * @throws ModelFormatException if a file is missing or malformed, or the adapter is of a kind that cannot be run
     */
    public static PeftAdapter load(Path folder) {
        AtomicFiles.restoreFolder(folder);
        if (!Files.isDirectory(folder)) {
            throw new ModelFormatException(folder, "there is no such folder. Maybe the adapter was not saved.");
        }
        AdapterConfigFile file = AdapterConfigFile.read(folder);
        LoraConfig config = config(folder, file);
        return new PeftAdapter(
                config, file.baseModel(), AdapterWeightsFile.read(folder, config.targetModules(), config.rank()));
    }

    private static LoraConfig config(Path folder, AdapterConfigFile file) {
        Path ours = folder.resolve(PLORA_FILE);
        if (!Files.exists(ours)) {
            return file.config(LoraConfig.builder().build());
        }
        LoraConfig config;
        try {
            config = LoraConfigJson.read(StrictJson.readObject(ours).path(CONFIG));
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(ours, e.getMessage(), e);
        }
        if (!file.config(config).equals(config)) {
            throw new ModelFormatException(
                    ours,
                    ("its configuration (%s) is not that of (%s)."
                                    + " Maybe one of the two was edited: delete (%s) to go by the other.")
                            .formatted(config, AdapterConfigFile.NAME, PLORA_FILE));
        }
        return config;
    }
}
