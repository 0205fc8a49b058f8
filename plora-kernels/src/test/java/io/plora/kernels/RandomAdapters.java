package io.plora.kernels;

import io.plora.kernels.PackedProjection.Part;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** A projection with a bias or none and adapters of ranks 1 to 64 that target some of its parts, in a {@link Twin}. */
final class RandomAdapters {
    private final int inputs;
    private final List<Part> parts;
    private final Twin.Pair weight;
    private final Twin.@Nullable Pair bias;
    private final List<List<@Nullable Term>> terms = new ArrayList<>();

    /** Sizes are rounded up to what the tested kernels take. */
    RandomAdapters(Twin twin, Random random, int adapters, int wantedInputs, boolean withBias, int... partOutputs) {
        this.inputs = twin.size(wantedInputs);
        this.parts = parts(random, IntStream.of(partOutputs).map(twin::size).toArray());
        int outputs = parts.get(parts.size() - 1).to();
        this.weight = twin.frozen(1 / Math.sqrt(inputs), outputs, inputs);
        this.bias = withBias ? twin.frozen(1, outputs) : null;
        for (int adapter = 0; adapter < adapters; adapter++) {
            List<@Nullable Term> row = new ArrayList<>();
            for (Part part : parts) {
                row.add(random.nextInt(4) == 0 ? null : term(twin, random, part.outputs()));
            }
            terms.add(row);
        }
    }

    private static List<Part> parts(Random random, int... partOutputs) {
        List<Part> parts = new ArrayList<>();
        int from = 0;
        for (int outputs : partOutputs) {
            parts.add(new Part(from, from + outputs, random.nextInt(100)));
            from += outputs;
        }
        return parts;
    }

    private Term term(Twin twin, Random random, int outputs) {
        int rank = random.nextBoolean() ? 1 + random.nextInt(64) : 1 + random.nextInt(8);
        double deviation = 1 / Math.sqrt(inputs);
        return new Term(
                twin.operand(deviation, rank, inputs),
                twin.operand(1 / Math.sqrt(rank), outputs, rank),
                twin.parameter(1, rank, inputs),
                twin.parameter(1, outputs, rank),
                0.5 + random.nextDouble(),
                random.nextInt(3) == 0 ? 0 : random.nextDouble() * 0.6);
    }

    /** Gradients hold values already, to which the backward pass adds. */
    record Term(Twin.Pair a, Twin.Pair b, Twin.Pair gradientA, Twin.Pair gradientB, double scale, double dropout) {
        LoraTerm in(Kernels kernels) {
            return new LoraTerm(
                    a.in(kernels), b.in(kernels), gradientA.in(kernels), gradientB.in(kernels), scale, dropout);
        }
    }

    PackedProjection projection(Kernels kernels) {
        return new PackedProjection(weight.in(kernels), bias == null ? null : bias.in(kernels), parts);
    }

    LoraTable table(Kernels kernels) {
        List<List<@Nullable LoraTerm>> rows = new ArrayList<>();
        for (int adapter = 0; adapter < terms.size(); adapter++) {
            rows.add(row(kernels, adapter));
        }
        return new LoraTable(rows);
    }

    /** A table of one adapter. */
    LoraTable table(Kernels kernels, int adapter) {
        return new LoraTable(List.of(row(kernels, adapter)));
    }

    private List<@Nullable LoraTerm> row(Kernels kernels, int adapter) {
        List<@Nullable LoraTerm> row = new ArrayList<>();
        for (Term term : terms.get(adapter)) {
            row.add(term == null ? null : term.in(kernels));
        }
        return row;
    }

    /** The terms of one adapter, without those it does not have. */
    List<Term> terms(int adapter) {
        List<Term> present = new ArrayList<>();
        for (Term term : terms.get(adapter)) {
            if (term != null) {
                present.add(term);
            }
        }
        return present;
    }

    int adapters() {
        return terms.size();
    }

    int inputs() {
        return inputs;
    }

    int outputs() {
        return parts.get(parts.size() - 1).to();
    }
}
