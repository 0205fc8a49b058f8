package io.plora.data;

import org.nd4j.linalg.dataset.api.iterator.MultiDataSetIterator;

/**
 * Token ids from a pipeline of DL4J.
 *
 * <pre>{@code
 * TrainingData data = Dl4jData.of(iterator);   // org.nd4j.linalg.dataset.api.iterator.MultiDataSetIterator
 * }</pre>
 *
 * <p>Of each minibatch these arrays are read, of any numeric type and of shape (batch, length) or (batch, 1, length):
 *
 * <ul>
 *   <li>features[0]: token ids
 *   <li>features mask [0], optional: 1 where a token is real, 0 where it is padding. Padding is left out, at either end, and
 *       so are sequences that are nothing else.
 *   <li>labels mask [0], optional: 1 at position i if the model is trained to predict token i of the features. It is NOT
 *       shifted: the loss looks one token ahead by itself.
 *   <li>labels[0], optional: token ids to predict, aligned in the same way. Where trained, they must repeat the features.
 *       Without a labels mask, negative ids (such as -100) mark what is not trained.
 * </ul>
 *
 * <p>Without labels all real tokens but the first are trained. Further arrays, such as segment ids, are not read. The iterator
 * is reset, if it can be, and read once for each time the data are loaded.
 */
public final class Dl4jData implements TrainingData {
    private static final String NAME = "MultiDataSetIterator";

    private final MultiDataSetIterator iterator;

    private Dl4jData(MultiDataSetIterator iterator) {
        this.iterator = iterator;
    }

    public static Dl4jData of(MultiDataSetIterator iterator) {
        return new Dl4jData(iterator);
    }

    @Override
    public Dataset load(EncodingContext context) {
        if (iterator.resetSupported()) {
            iterator.reset();
        }
        SampleCollector samples = new SampleCollector(NAME, context);
        for (int number = 1; iterator.hasNext(); number++) {
            new Minibatch(NAME, number, iterator.next()).addTo(samples);
        }
        return samples.finish();
    }
}
