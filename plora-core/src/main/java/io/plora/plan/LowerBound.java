package io.plora.plan;

/**
 * Seconds that no schedule of what is left of a sweep can go below, whatever it packs, splits, pauses and moves.
 *
 * <p>The three are computed from {@link io.plora.cost.GroupTime} and {@link io.plora.cost.GroupMemory} and hold for every time
 * model whose {@link io.plora.cost.GroupTime#bound} f never falls with the work w, is convex, and has economies of scale: {@code
 * f(t w) <= t f(w)} for t >= 1. It follows that splitting an iteration never saves time: {@code f(v + w) <= f(v) + f(w)}. A trial joins only groups that could run
 * its longest sample.
 *
 * <ul>
 *   <li><b>work</b>: Let N iterations of groups of d devices do the work W in all. By convexity they take at least {@code N
 *       f(W / N)}, which grows with N by economies of scale. N is at least what memory allows: an iteration holds the adapters
 *       that take part and the activations of its tokens, {@code sum(adapter bytes x participations + token bytes x tokens) <=
 *       N x free memory}, and a trial takes part at least once a step and once for each portion of tokens that fits beside it
 *       (the same holds for the token budget). The plane that touches f at W / N turns this into a price for each token,
 *       sample, participation, step and byte: no iteration costs less than its parts by that price. Where several degrees are
 *       possible, each batch is charged the least price of any degree that holds the trial; where devices differ, each has the
 *       memory that the best group of that degree has on each of its devices, and its seconds count by its speed. The sum of
 *       all prices over the sum of speeds is a bound; so is that of the trials that need at least d devices over the speeds of
 *       the devices that groups of d or more can have at a time, of a node of m devices {@code d floor(m / d)}. The largest
 *       counts.
 *   <li><b>chain</b>: the steps of a trial follow one another, each at best a single iteration of its batch alone, at the
 *       degree that is best for that batch, or as many iterations as memory requires.
 *   <li><b>memory</b>: an adapter holds its share of memory at least while its own steps take place, each as long as its batch
 *       alone: {@code sum(seconds of chain x share of the device's free memory) / devices}.
 * </ul>
 *
 * @param work seconds
 * @param chain seconds
 * @param memory seconds
 */
public record LowerBound(double work, double chain, double memory) {

    /** Of all trials that have not ended. */
    public static LowerBound of(SweepState state) {
        return new BoundCalculator(state).bound();
    }

    /** The largest of them. */
    public double seconds() {
        return Math.max(work, Math.max(chain, memory));
    }

    /** How much longer something takes, such as 0.02 for 2%. */
    public double gap(double makespan) {
        return makespan / seconds() - 1;
    }
}
