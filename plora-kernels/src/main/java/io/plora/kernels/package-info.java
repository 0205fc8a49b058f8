/** The operations that a packed training step is made of: one interface, several implementations. */
@NullMarked
package io.plora.kernels;

import org.jspecify.annotations.NullMarked;
