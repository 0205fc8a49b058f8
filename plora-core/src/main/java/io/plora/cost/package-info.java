/** What a packed job costs: memory and work. */
@NullMarked
package io.plora.cost;

import org.jspecify.annotations.NullMarked;
