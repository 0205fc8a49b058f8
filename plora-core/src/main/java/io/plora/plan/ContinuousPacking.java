package io.plora.plan;

/**
 * Lets adapters join and leave running groups at any iteration, so that devices stay busy until the end.
 *
 * <p>A sweep is nearly a fluid: every configuration sees the same samples, and a batch may be accumulated over several
 * iterations without changing the result. What is not fluid are the chains: optimizer steps of one adapter follow one another,
 * at least one iteration each, so a batch size of 1 needs 32 times the iterations of one of 32. Hence:
 *
 * <ul>
 *   <li>A group's iteration has as many tokens as memory holds, but not more than saturate the device, and not so many that
 *       the group's work would be done in fewer iterations than its longest chain has steps.
 *   <li>The longest chain takes its whole batch first, then the next; the last gets what is left, in equal parts of its batch.
 *       Where memory is what limits an iteration, each takes as many samples as really fit, whatever their lengths.
 *   <li>Whenever samples or memory are left, the waiting trial with the longest chain joins the group with the fewest samples.
 *   <li>A group has as few devices as hold its trials (more cost communication), unless the longest chain would take longer
 *       than all work: then more devices make its iterations shorter. Trials that need fewer devices join it only where they
 *       add less to its iterations than they would cost in groups of their own.
 *   <li>When fewer than two trials wait for each device, groups compare the work that they have left: the one with the most
 *       lets a trial go that the one with the least takes over, and trials with no more time than they need take the place of
 *       those that have more.
 * </ul>
 */
public final class ContinuousPacking implements PackingPolicy {

    @Override
    public String name() {
        return "continuous packing";
    }

    @Override
    public Decision decide(SweepState state) {
        return PackingRound.decide(state);
    }
}
