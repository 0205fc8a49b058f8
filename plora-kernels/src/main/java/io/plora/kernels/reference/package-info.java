/** The operations in double precision as plain loops: the truth that fast implementations are tested against. */
@NullMarked
package io.plora.kernels.reference;

import org.jspecify.annotations.NullMarked;
