/** LoRA hyperparameter sweeps: what a first program touches. Start at {@link io.plora.LoraSweep}. */
@NullMarked
package io.plora;

import org.jspecify.annotations.NullMarked;
