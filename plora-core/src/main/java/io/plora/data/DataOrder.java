package io.plora.data;

import com.google.common.hash.Hashing;
import java.util.Random;

/**
 * The order in which one adapter sees its samples: in each epoch each sample once, shuffled anew.
 *
 * <p>A pure function of seed, epoch and number of samples, the same on every platform: who is packed with whom, how batches
 * are split and where a sweep was resumed do not change it.
 *
 * @param seed of the adapter
 * @param samples how many there are
 */
public record DataOrder(long seed, int samples) {

    public DataOrder {
        if (samples < 1) {
            throw new IllegalArgumentException("samples (%d) must be at least 1.".formatted(samples));
        }
    }

    /** Indices of the samples in the order of one epoch (Fisher-Yates shuffle). */
    public int[] epoch(int epoch) {
        // java.util.Random is specified to the bit; hashing makes neighbouring seeds and epochs independent
        Random random = new Random(Hashing.murmur3_128()
                .newHasher()
                .putLong(seed)
                .putInt(epoch)
                .hash()
                .asLong());
        int[] order = new int[samples];
        for (int i = 0; i < samples; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }
}
