package io.plora.cost;

/** Time of this engine's groups: training iterations and evaluations. */
public interface EngineTime extends GroupTime {

    /**
     * Seconds of a forward pass with losses, without training.
     *
     * @param work tokens, sequences, pairs and low-rank terms that take part; nothing is stepped
     * @param degree devices that share the base model
     */
    double evaluationSeconds(GroupWork work, int degree);
}
