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

    private int batchEnd(int from) {
        return (int) Math.min(samples, (from / batch + 1L) * batch);
    }

    private int parts(int count) {
        return (count + share - 1) / share;
    }
}
