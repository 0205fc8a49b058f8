/** Tools for GPU hosts: ND4J's CUDA backend for GPUs that its release does not know, and bundles that run without Java. */
@NullMarked
package io.plora.examples.gpu;

import org.jspecify.annotations.NullMarked;
