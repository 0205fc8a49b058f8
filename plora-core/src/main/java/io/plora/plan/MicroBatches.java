package io.plora.plan;

/**
 * How a trial walks through the rest of an epoch with a fixed share per iteration: a batch is split into parts of that size
 * and a rest.
 *
 * @param position samples of the epoch that are done
 * @param samples of the epoch
 * @param batch batch size
 * @param share most samples of an iteration
 */
record MicroBatches(int position, int samples, int batch, int share) {

    /** Iterations until the epoch is done. */
    int iterations() {
        int end = batchEnd(position);
        int whole = (samples - end) / batch;
        return parts(end - position) + whole * parts(batch) + parts(samples - end - whole * batch);
    }

    /** Samples of the epoch that are done after some iterations, at most {@link #iterations}. */
    int positionAfter(int iterations) {
        int end = batchEnd(position);
        int first = parts(end - position);
        if (iterations < first) {
            return position + iterations * share;
        }
        int left = iterations - first;
        int batches = left / parts(batch);
        long done = end + (long) batches * batch + (long) (left % parts(batch)) * share;
        return (int) Math.min(samples, done);
    }

    /** Iterations that do so many samples; more than {@link #iterations} if the epoch has fewer. */
    int iterationsFor(long count) {
        if (position + count > samples) {
            return iterations() + 1;
        }
        int low = 1;
        int high = iterations();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (positionAfter(middle) - position >= count) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }

    /** Where the next iteration ends that starts at a position. */
    int next(int from) {
        return Math.min(batchEnd(from), from + share);
    }

    /** Batches that end between two positions. */
    int batchesEnded(int from, int to) {
        return (to == samples ? batches(samples) : to / batch) - from / batch;
    }

    private int batches(int count) {
        return (count + batch - 1) / batch;
    }

    private int batchEnd(int from) {
        return (int) Math.min(samples, (from / batch + 1L) * batch);
    }

    private int parts(int count) {
        return (count + share - 1) / share;
    }
}
