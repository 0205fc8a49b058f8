package io.plora.train;

import com.google.common.hash.Hashing;
import io.plora.adapter.LoraMatrices;
import io.plora.adapter.ModuleKey;
import io.plora.adapter.PeftAdapter;
import io.plora.kernels.AdapterState;
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
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One adapter where the kernels compute: its parameters, their gradients and AdamW's moments, flat as
 * {@link AdapterLayout} says, and the low-rank terms that are views of them.
 */
public final class AdapterWeights {
    private final LoraConfig config;
    private final AdapterLayout layout;
    private final Kernels kernels;
    private final AdapterState state;
    private final Map<Integer, LoraTerm> terms = new HashMap<>();

    private AdapterWeights(ModelConfig model, LoraConfig config, Kernels kernels) {
        this.config = config;
        this.layout = AdapterLayout.of(model, config);
        this.kernels = kernels;
        state = new AdapterState(kernels, layout.matrices());
        for (int i = 0; i < layout.slots().size(); i++) {
            AdapterLayout.Slot slot = layout.slots().get(i);
            terms.put(number(slot.layer(), slot.module()), term(i));
        }
    }

    /** A new adapter as PEFT starts it: A uniform in +-1/sqrt(in), drawn from the configuration's seed, and B zero. */
    public static AdapterWeights initialize(ModelConfig model, LoraConfig config, Kernels kernels) {
        AdapterWeights weights = new AdapterWeights(model, config, kernels);
        weights.fill(() -> {
            weights.layout.slots().forEach(weights::draw);
            kernels.refresh(weights.state);
        });
        return weights;
    }

    /** Draws A; B is zero from the start. */
    private void draw(AdapterLayout.Slot slot) {
        long seed = Hashing.murmur3_128()
                .newHasher()
                .putLong(config.seed())
                .putInt(number(slot.layer(), slot.module()))
                .hash()
                .asLong(); // hashed: streams of neighbouring seeds would overlap
        Tensor a = state.parameters().view(slot.aOffset(), (long) slot.rank() * slot.inputs());
        kernels.uniform(a, seed, 1 / Math.sqrt(slot.inputs()));
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
        weights.write(values);
        return weights;
    }

    /** This adapter in host memory, to save. */
    public PeftAdapter toPeftAdapter(String baseModel) {
        return toPeftAdapter(layout, config, parameters(), baseModel);
    }

    /** As {@link #toPeftAdapter(String)}, of the parameters of now; arranged when it is asked for, on any thread. */
    public Supplier<PeftAdapter> copy(String baseModel) {
        Supplier<float[]> values = kernels.floatsLater(state.parameters());
        return () -> toPeftAdapter(layout, config, values.get(), baseModel);
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
        weights.write(parameters);
        return weights;
    }

    private static int number(int layer, TargetModule module) {
        return layer * TargetModule.values().length + module.ordinal();
    }

    /** The term of a slot, whose A and B are matrices slot and slots + slot of the state. */
    private LoraTerm term(int slot) {
        int b = layout.slots().size() + slot;
        return new LoraTerm(
                state.operand(slot),
                state.operand(b),
                state.gradient(slot),
                state.gradient(b),
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

    AdapterState state() {
        return state;
    }

    /** All parameters: the A matrices layer by layer and module by module, then the B matrices likewise. */
    public float[] parameters() {
        return kernels.floats(state.parameters());
    }

    /** The gradients accumulated in the open batch, laid out as {@link #parameters()}. */
    public float[] gradients() {
        return kernels.floats(state.gradients());
    }

    /** AdamW's first moment, laid out as {@link #parameters()}. */
    public float[] firstMoment() {
        return kernels.floats(state.firstMoment());
    }

    /** AdamW's second moment, laid out as {@link #parameters()}. */
    public float[] secondMoment() {
        return kernels.floats(state.secondMoment());
    }

    /** Gives the memory back; nothing of this adapter may be used afterwards. */
    public void release() {
        state.release();
    }

    /** Sets the gradients of an open batch, to go on with it. */
    void setGradients(float[] values) {
        write(state.gradients(), values);
    }

    /** Sets AdamW's moments, to resume. */
    public void setMoments(float[] first, float[] second) {
        write(state.firstMoment(), first);
        write(state.secondMoment(), second);
    }

    /** Fills a new adapter; where that fails its memory is given back. */
    private void write(float[] parameters) {
        fill(() -> {
            requireSize(parameters);
            state.write(parameters);
        });
    }

    private void fill(Runnable writing) {
        try {
            writing.run();
        } catch (RuntimeException | Error e) {
            state.release();
            throw e;
        }
    }

    private void write(Tensor tensor, float[] values) {
        requireSize(values);
        kernels.write(tensor, values);
    }

    private void requireSize(float[] values) {
        if (values.length != layout.size()) {
            throw new IllegalArgumentException("Adapter (%s) has (%d) parameters, but (%d) values were given."
                    .formatted(config.id(), layout.size(), values.length));
        }
    }
}
