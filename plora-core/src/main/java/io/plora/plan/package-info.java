/** Who trains with whom, where and when: packing policies, the state they see, the decisions they take. */
@NullMarked
package io.plora.plan;

import org.jspecify.annotations.NullMarked;
