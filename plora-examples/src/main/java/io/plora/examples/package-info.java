/** Programs to run and to copy from. */
@NullMarked
package io.plora.examples;

import org.jspecify.annotations.NullMarked;
