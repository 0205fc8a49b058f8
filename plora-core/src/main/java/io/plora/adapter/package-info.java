/** Trained adapters: PEFT's format, what resuming a training needs, merging into the base model. */
@NullMarked
package io.plora.adapter;

import org.jspecify.annotations.NullMarked;
