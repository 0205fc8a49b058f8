/** Base models in Hugging Face layout. */
@NullMarked
package io.plora.model;

import org.jspecify.annotations.NullMarked;
