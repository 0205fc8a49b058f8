package io.plora.model;

import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.PackedProjection.Part;
import io.plora.kernels.Tensor;
import io.plora.model.DecoderWeights.Layer;
import io.plora.space.TargetModule;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Reads tensors into the memory of {@link Kernels}, stacking the projections that share an input. */
final class DecoderWeightsLoader {

    /** Most bytes written at once: a tensor may exceed 2 GiB, a Java buffer may not. */
    private static final long PIECE_BYTES = 256L << 20;

    private final ModelConfig config;
    private final WeightSource source;
    private final Kernels kernels;

    DecoderWeightsLoader(ModelConfig config, WeightSource source, Kernels kernels) {
        this.config = config;
        this.source = source;
        this.kernels = kernels;
    }

    DecoderWeights load(int positions) {
        Tensor embedding = tensor(DecoderTensors.EMBEDDING);
        List<Layer> layers =
                IntStream.range(0, config.layers()).mapToObj(this::layer).toList();
        return new DecoderWeights(
                embedding,
                layers,
                tensor(DecoderTensors.FINAL_NORM),
                config.tiedEmbeddings() ? embedding : tensor(DecoderTensors.LM_HEAD),
                rotary(positions));
    }

    private Layer layer(int layer) {
        return new Layer(
                tensor(DecoderTensors.inputNorm(layer)),
                projection(layer, TargetModule.Q_PROJ, TargetModule.K_PROJ, TargetModule.V_PROJ),
                projection(layer, TargetModule.O_PROJ),
                tensor(DecoderTensors.postNorm(layer)),
                projection(layer, TargetModule.GATE_PROJ, TargetModule.UP_PROJ),
                projection(layer, TargetModule.DOWN_PROJ));
    }

    private PackedProjection projection(int layer, TargetModule... modules) {
        List<Part> parts = parts(layer, modules);
        int outputs = parts.get(parts.size() - 1).to();
        Tensor weight = kernels.allocate(kernels.activationType(), outputs, config.inputs(modules[0]));
        @Nullable Tensor bias =
                DecoderTensors.hasBias(config, modules[0]) ? kernels.allocate(kernels.activationType(), outputs) : null;
        for (int i = 0; i < modules.length; i++) {
            Part part = parts.get(i);
            read(DecoderTensors.weight(layer, modules[i]), weight.rows(part.from(), part.to()));
            if (bias != null) {
                read(DecoderTensors.bias(layer, modules[i]), bias.rows(part.from(), part.to()));
            }
        }
        return new PackedProjection(weight, bias, parts);
    }

    private List<Part> parts(int layer, TargetModule... modules) {
        List<Part> parts = new ArrayList<>();
        int from = 0;
        for (TargetModule module : modules) {
            int to = from + config.outputs(module);
            parts.add(new Part(from, to, DecoderWeights.moduleNumber(layer, module)));
            from = to;
        }
        return parts;
    }

    private Tensor tensor(String name) {
        Tensor tensor =
                kernels.allocate(kernels.activationType(), source.info(name).shape());
        read(name, tensor);
        return tensor;
    }

    private void read(String name, Tensor to) {
        DType type = source.info(name).type();
        long rowElements = to.size() / to.dim(0);
        long rowsAtOnce = Math.max(1, PIECE_BYTES / (rowElements * type.bytes()));
        for (long from = 0; from < to.dim(0); from += rowsAtOnce) {
            Tensor rows = to.rows(from, Math.min(to.dim(0), from + rowsAtOnce));
            long offset = from * rowElements * type.bytes();
            kernels.write(rows, source.bytes(name, offset, (int) (rows.size() * type.bytes())), type);
        }
    }

    private Tensor rotary(int positions) {
        Tensor table = kernels.allocate(kernels.parameterType(), positions, config.headSize());
        kernels.write(table, RotaryTable.of(config.rope(), positions, config.headSize()));
        return table;
    }
}
