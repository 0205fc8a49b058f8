/** What a sweep searches: LoRA configurations and the spaces they come from. */
@NullMarked
package io.plora.space;

import org.jspecify.annotations.NullMarked;
