@NullMarked
package io.plora.examples.benchmark;

import org.jspecify.annotations.NullMarked;
