package io.plora.plan;

import com.google.common.collect.ImmutableList;
import java.util.List;

/** What a policy wants done now, in this order. */
public record Decision(List<Action> actions) {

    public Decision {
        actions = ImmutableList.copyOf(actions);
    }
}
