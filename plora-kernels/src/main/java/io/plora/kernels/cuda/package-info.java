/** Bf16 on CUDA, by kernels of our own beside cuBLAS, in memory and on the stream of ND4J's CUDA backend. */
@NullMarked
package io.plora.kernels.cuda;

import org.jspecify.annotations.NullMarked;
