/** Packed training: many adapters through one pass of the base model. */
@NullMarked
package io.plora.train;

import org.jspecify.annotations.NullMarked;
