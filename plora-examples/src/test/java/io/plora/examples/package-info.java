@NullMarked
package io.plora.examples;

import org.jspecify.annotations.NullMarked;
