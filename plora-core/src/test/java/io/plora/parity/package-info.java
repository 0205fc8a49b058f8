/**
 * Reference values that transformers and PEFT computed, and how far other values are from them.
 *
 * <p>They are made once by {@code src/test/python/peft_parity.py} and kept in {@code src/test/resources/parity}.
 */
@NullMarked
package io.plora.parity;

import org.jspecify.annotations.NullMarked;
