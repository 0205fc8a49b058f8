/** Measurements that print one JSON row a case. */
@NullMarked
package io.plora.examples.benchmark;

import org.jspecify.annotations.NullMarked;
