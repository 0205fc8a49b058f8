@NullMarked
package io.plora.examples.gpu;

import org.jspecify.annotations.NullMarked;
