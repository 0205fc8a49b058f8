package io.plora.train;

import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.model.RopeConfig;
import io.plora.space.TargetModule;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Small decoders with random weights; the same seed gives the same weights with any kernels. */
final class RandomModel {
    private static final int POSITIONS = 256;

    private final ModelConfig config;
    private final Kernels kernels;
    private final SplittableRandom random;

    private RandomModel(ModelConfig config, Kernels kernels, long seed) {
        this.config = config;
        this.kernels = kernels;
        this.random = new SplittableRandom(seed);
    }

    /** A shape with grouped-query attention and sizes that differ from one another. */
    static ModelConfig shape(SplittableRandom random) {
        int kvHeads = 1 + random.nextInt(2);
        int heads = kvHeads * (1 + random.nextInt(2));
        return new ModelConfig(
                "qwen2",
                8 * (2 + random.nextInt(4)),
                8 * (2 + random.nextInt(6)),
                1 + random.nextInt(3),
                heads,
                kvHeads,
                8 * (1 + random.nextInt(2)),
                40 + random.nextInt(30),
                1e-6,
                new RopeConfig(10000, null),
                random.nextBoolean(),
                random.nextBoolean(),
                POSITIONS);
    }

    /** As {@link #shape}, of sizes that the GPU's kernels take. */
    static ModelConfig shapeForGpu(SplittableRandom random) {
        ModelConfig shape = shape(random);
        return new ModelConfig(
                shape.family(),
                shape.hiddenSize(),
                shape.intermediateSize(),
                shape.layers(),
                shape.heads(),
                shape.kvHeads(),
                32,
                (shape.vocabularySize() + 7) / 8 * 8,
                shape.rmsNormEpsilon(),
                shape.rope(),
                shape.tiedEmbeddings(),
                shape.qkvBias(),
                shape.maxPositions());
    }

    static DecoderWeights weights(ModelConfig config, Kernels kernels, long seed) {
        return new RandomModel(config, kernels, seed).weights();
    }

    private DecoderWeights weights() {
        Tensor embedding = normal(1, config.vocabularySize(), config.hiddenSize());
        List<DecoderWeights.Layer> layers = new ArrayList<>();
        for (int i = 0; i < config.layers(); i++) {
            layers.add(new DecoderWeights.Layer(
                    norm(),
                    projection(i, TargetModule.Q_PROJ, TargetModule.K_PROJ, TargetModule.V_PROJ),
                    projection(i, TargetModule.O_PROJ),
                    norm(),
                    projection(i, TargetModule.GATE_PROJ, TargetModule.UP_PROJ),
                    projection(i, TargetModule.DOWN_PROJ)));
        }
        Tensor lmHead = config.tiedEmbeddings() ? embedding : normal(0.3, config.vocabularySize(), config.hiddenSize());
        return new DecoderWeights(embedding, layers, norm(), lmHead, rotary());
    }

    private Tensor norm() {
        float[] values = new float[config.hiddenSize()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (0.5 + random.nextDouble());
        }
        return weight(values, values.length);
    }

    private PackedProjection projection(int layer, TargetModule... modules) {
        List<PackedProjection.Part> parts = new ArrayList<>();
        int outputs = 0;
        for (TargetModule module : modules) {
            int to = outputs + config.outputs(module);
            parts.add(new PackedProjection.Part(outputs, to, layer * 7 + module.ordinal()));
            outputs = to;
        }
        int inputs = config.inputs(modules[0]);
        Tensor bias = config.qkvBias() && modules.length == 3 ? normal(0.1, outputs) : null;
        return new PackedProjection(normal(1 / Math.sqrt(inputs), outputs, inputs), bias, parts);
    }

    private Tensor rotary() {
        int half = config.headSize() / 2;
        float[] values = new float[POSITIONS * config.headSize()];
        for (int position = 0; position < POSITIONS; position++) {
            for (int i = 0; i < half; i++) {
                double angle = position / Math.pow(config.rope().theta(), (double) i / half);
                values[position * config.headSize() + i] = (float) Math.cos(angle);
                values[position * config.headSize() + half + i] = (float) Math.sin(angle);
            }
        }
        return tensor(kernels.parameterType(), values, POSITIONS, config.headSize());
    }

    private Tensor normal(double deviation, long... shape) {
        long size = 1;
        for (long dimension : shape) {
            size *= dimension;
        }
        float[] values = new float[(int) size];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (deviation * random.nextGaussian());
        }
        return weight(values, shape);
    }

    /** Rounded to what bf16 holds: no kernels round it further. */
    private Tensor weight(float[] values, long... shape) {
        for (int i = 0; i < values.length; i++) {
            values[i] = Vectors.bf16(values[i]);
        }
        return tensor(kernels.activationType(), values, shape);
    }

    private Tensor tensor(DType type, float[] values, long... shape) {
        Tensor tensor = kernels.allocate(type, shape);
        kernels.write(tensor, values);
        return tensor;
    }
}
