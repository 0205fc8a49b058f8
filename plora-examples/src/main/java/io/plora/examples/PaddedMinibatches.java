package io.plora.examples;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.MultiDataSet;
import org.nd4j.linalg.dataset.api.MultiDataSetPreProcessor;
import org.nd4j.linalg.dataset.api.iterator.MultiDataSetIterator;
import org.nd4j.linalg.factory.Nd4j;

/**
 * An iterator as pipelines of DL4J have them: minibatches of token ids, padded at the end to the longest sequence, with a mask
 * of what is real and a mask of what is trained.
 */
@SuppressWarnings("serial") // DL4J's interface asks for it; nobody writes these to a stream
final class PaddedMinibatches implements MultiDataSetIterator {

    /** Token ids of a prompt and of the answer to it. */
    record Pair(int[] prompt, int[] answer) {
        int length() {
            return prompt.length + answer.length;
        }
    }

    private final List<Pair> pairs;
    private final int minibatch;
    private @Nullable MultiDataSetPreProcessor preProcessor;
    private int next;

    PaddedMinibatches(List<Pair> pairs, int minibatch) {
        this.pairs = List.copyOf(pairs);
        this.minibatch = minibatch;
    }

    @Override
    public MultiDataSet next(int count) {
        List<Pair> rows = pairs.subList(next, Math.min(next + count, pairs.size()));
        next += rows.size();
        int longest = rows.stream().mapToInt(Pair::length).max().orElseThrow();
        int[][] ids = new int[rows.size()][longest];
        float[][] real = new float[rows.size()][longest];
        float[][] trained = new float[rows.size()][longest];
        for (int row = 0; row < rows.size(); row++) {
            int promptLength = rows.get(row).prompt().length;
            for (int i = 0; i < rows.get(row).length(); i++) {
                boolean inPrompt = i < promptLength;
                ids[row][i] =
                        inPrompt ? rows.get(row).prompt()[i] : rows.get(row).answer()[i - promptLength];
                real[row][i] = 1;
                trained[row][i] = inPrompt ? 0 : 1;
            }
        }
        INDArray tokens = Nd4j.createFromArray(ids);
        MultiDataSet dataSet = new MultiDataSet(
                new INDArray[] {tokens},
                new INDArray[] {tokens},
                new INDArray[] {Nd4j.createFromArray(real)},
                new INDArray[] {Nd4j.createFromArray(trained)});
        if (preProcessor != null) {
            preProcessor.preProcess(dataSet);
        }
        return dataSet;
    }

    @Override
    public MultiDataSet next() {
        return next(minibatch);
    }

    @Override
    public boolean hasNext() {
        return next < pairs.size();
    }

    @Override
    public void reset() {
        next = 0;
    }

    @Override
    public boolean resetSupported() {
        return true;
    }

    @Override
    public boolean asyncSupported() {
        return false;
    }

    @Override
    public void setPreProcessor(@Nullable MultiDataSetPreProcessor preProcessor) {
        this.preProcessor = preProcessor;
    }

    @Override
    public @Nullable MultiDataSetPreProcessor getPreProcessor() {
        return preProcessor;
    }
}
