package io.plora.train;

import io.plora.adapter.LoraMatrices;
import io.plora.adapter.ModuleKey;
import io.plora.adapter.PeftAdapter;
import io.plora.kernels.Kernels;
import io.plora.kernels.LoraTerm;
import io.plora.kernels.Tensor;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * One adapter where the kernels compute: its parameters, their gradients and AdamW's moments, flat as
 * {@link AdapterLayout} says, and the low-rank terms that are views of them.
 */
public final class AdapterWeights {
    private final LoraConfig config;
    private final AdapterLayout layout;
    private final Kernels kernels;
    private final Tensor parameters;
    private final Tensor gradients;
    private final Tensor firstMoment;
    private final Tensor secondMoment;
    private final Map<Integer, LoraTerm> terms = new HashMap<>();

    private AdapterWeights(ModelConfig model, LoraConfig config, Kernels kernels) {
        this.config = config;
        this.layout = AdapterLayout.of(model, config);
        this.kernels = kernels;
        parameters = kernels.allocate(kernels.parameterType(), layout.size());
        gradients = kernels.allocate(kernels.parameterType(), layout.size());
        firstMoment = kernels.allocate(kernels.parameterType(), layout.size());
        secondMoment = kernels.allocate(kernels.parameterType(), layout.size());
        for (AdapterLayout.Slot slot : layout.slots()) {
            terms.put(number(slot.layer(), slot.module()), term(slot));
        }
    }

    /** A new adapter as PEFT starts it: A uniform in +-1/sqrt(in), drawn from the configuration's seed, and B zero. */
    public static AdapterWeights initialize(ModelConfig model, LoraConfig config, Kernels kernels) {
        AdapterWeights weights = new AdapterWeights(model, config, kernels);
        float[] values = new float[Math.toIntExact(weights.layout.size())];
        for (AdapterLayout.Slot slot : weights.layout.slots()) {
            double bound = 1 / Math.sqrt(slot.inputs());
            SplittableRandom random =
                    new SplittableRandom(config.seed() * 0x9E3779B97F4A7C15L + number(slot.layer(), slot.module()));
            int start = Math.toIntExact(slot.aOffset());
            for (int i = 0; i < slot.rank() * slot.inputs(); i++) {
                values[start + i] = (float) ((2 * random.nextDouble() - 1) * bound);
            }
        }
        weights.write(weights.parameters, values);
        return weights;
    }

    /**
     * An adapter as it was saved.
     *
     * @throws IllegalArgumentException if it is of another model, rank or target modules
     */
    public static AdapterWeights of(ModelConfig model, LoraConfig config, Kernels kernels, PeftAdapter saved) {
        saved.requireFits(model);
        saved.requireFits(config);
        AdapterWeights weights = new AdapterWeights(model, config, kernels);
        float[] values = new float[Math.toIntExact(weights.layout.size())];
        for (AdapterLayout.Slot slot : weights.layout.slots()) {
            LoraMatrices matrices =
                    Objects.requireNonNull(saved.modules().get(new ModuleKey(slot.layer(), slot.module())));
            System.arraycopy(matrices.a(), 0, values, (int) slot.aOffset(), matrices.a().length);
            System.arraycopy(matrices.b(), 0, values, (int) slot.bOffset(), matrices.b().length);
        }
        weights.write(weights.parameters, values);
        return weights;
    }

    /** This adapter in host memory, to save. */
    public PeftAdapter toPeftAdapter(String baseModel) {
        return toPeftAdapter(layout, config, parameters(), baseModel);
    }

    static PeftAdapter toPeftAdapter(AdapterLayout layout, LoraConfig config, float[] values, String baseModel) {
        Map<ModuleKey, LoraMatrices> modules = new HashMap<>();
        for (AdapterLayout.Slot slot : layout.slots()) {
            int a = (int) slot.aOffset();
            int b = (int) slot.bOffset();
            modules.put(
                    new ModuleKey(slot.layer(), slot.module()),
                    new LoraMatrices(
                            slot.rank(),
                            slot.inputs(),
                            slot.outputs(),
                            Arrays.copyOfRange(values, a, a + slot.rank() * slot.inputs()),
                            Arrays.copyOfRange(values, b, b + slot.outputs() * slot.rank())));
        }
        return new PeftAdapter(config, baseModel, modules);
    }

    /** An adapter with given parameters, flat as {@link #parameters()} returns them. */
    public static AdapterWeights of(ModelConfig model, LoraConfig config, Kernels kernels, float[] parameters) {
        AdapterWeights weights = new AdapterWeights(model, config, kernels);
        weights.write(weights.parameters, parameters);
        return weights;
    }

    private static int number(int layer, TargetModule module) {
        return layer * TargetModule.values().length + module.ordinal();
    }

    private LoraTerm term(AdapterLayout.Slot slot) {
        int rank = slot.rank();
        return new LoraTerm(
                parameters.view(slot.aOffset(), rank, slot.inputs()),
                parameters.view(slot.bOffset(), slot.outputs(), rank),
                gradients.view(slot.aOffset(), rank, slot.inputs()),
                gradients.view(slot.bOffset(), slot.outputs(), rank),
                config.scale(),
                config.dropout());
    }

    public LoraConfig config() {
        return config;
    }

    AdapterLayout layout() {
        return layout;
    }

    /** The low-rank term on a module, or null where the adapter has none. */
    @Nullable LoraTerm term(int layer, TargetModule module) {
        return terms.get(number(layer, module));
    }

    Tensor parameterTensor() {
        return parameters;
    }

    Tensor gradientTensor() {
        return gradients;
    }

    Tensor firstMomentTensor() {
        return firstMoment;
    }

    Tensor secondMomentTensor() {
        return secondMoment;
    }

    /** All parameters: the A matrices layer by layer and module by module, then the B matrices likewise. */
    public float[] parameters() {
        return kernels.floats(parameters);
    }

    /** The gradients accumulated in the open batch, laid out as {@link #parameters()}. */
    public float[] gradients() {
        return kernels.floats(gradients);
    }

    /** AdamW's first moment, laid out as {@link #parameters()}. */
    public float[] firstMoment() {
        return kernels.floats(firstMoment);
    }

    /** AdamW's second moment, laid out as {@link #parameters()}. */
    public float[] secondMoment() {
        return kernels.floats(secondMoment);
    }

    /** Sets the gradients of an open batch, to go on with it. */
    void setGradients(float[] values) {
        write(gradients, values);
    }

    /** Sets AdamW's moments, to resume. */
    public void setMoments(float[] first, float[] second) {
        write(firstMoment, first);
        write(secondMoment, second);
    }

    private void write(Tensor tensor, float[] values) {
        if (values.length != layout.size()) {
            throw new IllegalArgumentException("Adapter (%s) has (%d) parameters, but (%d) values were given."
                    .formatted(config.id(), layout.size(), values.length));
        }
        kernels.write(tensor, values);
    }
}
