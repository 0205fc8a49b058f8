/**
 * Static jobs as PLoRA plans them (Yan et al. 2025, arXiv 2508.02932, section 5): which trials share a job, on how many devices,
 * in which order. It knows what a member costs, nothing of trials and samples.
 */
@NullMarked
package io.plora.plan.jobs;

import org.jspecify.annotations.NullMarked;
