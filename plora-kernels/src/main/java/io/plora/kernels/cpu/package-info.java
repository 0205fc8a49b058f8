/** The operations in float32 on the CPU: products through OpenBLAS, the rest plain loops. */
@NullMarked
package io.plora.kernels.cpu;

import org.jspecify.annotations.NullMarked;
