package io.plora.space;

import com.google.common.collect.ImmutableMap;
import java.util.List;
import java.util.Objects;

/** What a space says about each field that it varies. Immutable. */
final class Dimensions<D> {
    private final ImmutableMap<Field<?>, D> byField;

    private Dimensions(ImmutableMap<Field<?>, D> byField) {
        this.byField = byField;
    }

    static <D> Dimensions<D> none() {
        return new Dimensions<>(ImmutableMap.of());
    }

    /** These and one more; a field is set once, and alpha in one way only. */
    Dimensions<D> with(Field<?> field, D dimension) {
        if (byField.containsKey(field)) {
            throw new IllegalArgumentException(
                    "Search space: (%s) is already set. Maybe name all its values in one call.".formatted(field));
        }
        Dimensions<D> result = replace(field, dimension);
        if (result.byField.containsKey(Field.ALPHA) && result.byField.containsKey(Field.ALPHA_OVER_RANK)) {
            throw new IllegalArgumentException(
                    "Search space: both (%s) and (%s) are set. Maybe keep one of them, or join two spaces with and()."
                            .formatted(Field.ALPHA, Field.ALPHA_OVER_RANK));
        }
        return result;
    }

    Dimensions<D> replace(Field<?> field, D dimension) {
        return new Dimensions<>(ImmutableMap.<Field<?>, D>builder()
                .putAll(byField)
                .put(field, dimension)
                .buildKeepingLast());
    }

    D get(Field<?> field, D otherwise) {
        return byField.getOrDefault(field, otherwise);
    }

    /** The fields that are set, in the order in which they can be applied. */
    List<Field<?>> fields() {
        return Field.ALL.stream().filter(byField::containsKey).toList();
    }

    D get(Field<?> field) {
        return Objects.requireNonNull(byField.get(field));
    }
}
