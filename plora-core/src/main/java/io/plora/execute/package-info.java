/** Runs a packing policy: the executor, its journal and its checkpoints. */
@NullMarked
package io.plora.execute;

import org.jspecify.annotations.NullMarked;
