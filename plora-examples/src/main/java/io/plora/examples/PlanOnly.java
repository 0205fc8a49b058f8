package io.plora.examples;

import io.plora.LoraSweep;
import io.plora.plan.GreedyPacking;
import io.plora.plan.OneByOne;
import io.plora.plan.PackingPolicy;
import io.plora.plan.SweepPlan;
import io.plora.space.SearchSpace;
import java.nio.file.Path;

/** Looks before it leaps: who would train with whom, packed and one by one. Trains nothing and writes nothing. */
final class PlanOnly {
    private PlanOnly() {}

    public static void main(String[] arguments) {
        SweepPlan packed = plan(new GreedyPacking());
        SweepPlan alone = plan(new OneByOne());
        System.out.println(packed.toText());
        System.out.printf(
                "One by one the same %,d tokens would take %,d passes of the base model instead of %,d.%n",
                alone.tokens(), alone.iterations(), packed.iterations());
    }

    static SweepPlan plan(PackingPolicy policy) {
        return LoraSweep.builder()
                .withBaseModel(ExampleFiles.model())
                .withTrainingData(ExampleFiles.problems("train.jsonl"))
                .withValidationData(ExampleFiles.problems("validation.jsonl"))
                .withSpace(SearchSpace.grid()
                        .rank(8, 16, 32)
                        .learningRate(2e-4, 1e-3)
                        .batchSize(1, 4))
                .withPolicy(policy)
                .withOutput(Path.of("sweep-planned"))
                .build()
                .plan();
    }
}
