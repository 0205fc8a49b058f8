package io.plora.cost;

import io.plora.model.ModelConfig;
import io.plora.space.TargetModule;

/**
 * What one of the devices that share a base model holds of it (tensor parallelism as in Megatron-LM, Shoeybi et al. 2019): q, k,
 * v, gate and up are split by outputs, o and down by inputs, the tables by vocabulary; the residual stream and norms are
 * whole on every device. Where heads do not divide, the device with most of them is meant; a key and value head is never split.
 *
 * @param degree devices
 */
record ModelShard(ModelConfig model, int degree) {

    ModelShard {
        if (degree < 1) {
            throw new IllegalArgumentException("The parallel degree (%d) must be at least 1.".formatted(degree));
        }
    }

    /** H, whole. */
    int hidden() {
        return model.hiddenSize();
    }

    /** Query heads here. */
    int heads() {
        return (int) share(model.heads());
    }

    /** Values of a row of q or of the attention's output. */
    int query() {
        return heads() * model.headSize();
    }

    /** Values of a row of k or of v. */
    int key() {
        return (int) share(model.kvHeads()) * model.headSize();
    }

    /** Values of a row of q, k and v. */
    int qkv() {
        return query() + 2 * key();
    }

    /** F here. */
    int intermediate() {
        return (int) share(model.intermediateSize());
    }

    /** V here. */
    int vocabulary() {
        return (int) share(model.vocabularySize());
    }

    /** Values of a module's matrix here. */
    long matrix(TargetModule module) {
        return switch (module) {
            case Q_PROJ, O_PROJ -> (long) hidden() * query();
            case K_PROJ, V_PROJ -> (long) hidden() * key();
            case GATE_PROJ, UP_PROJ, DOWN_PROJ -> (long) hidden() * intermediate();
        };
    }

    /** Values of all matrices of a layer here. */
    long layerMatrices() {
        long values = 0;
        for (TargetModule module : TargetModule.values()) {
            values += matrix(module);
        }
        return values;
    }

    /** Values of one table here, embedding or output layer. */
    long table() {
        return (long) vocabulary() * hidden();
    }

    /** A device's part of what is split evenly, rounded up. */
    long share(long whole) {
        return (whole + degree - 1) / degree;
    }
}
