/** Trained adapters in PEFT's format. */
@NullMarked
package io.plora.adapter;

import org.jspecify.annotations.NullMarked;
