package io.plora.report;

import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.lang.reflect.RecordComponent;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;

/** The fields of {@link LoraConfig} as text, so that a field added there turns up in every table. */
final class ConfigColumns {
    private static final List<RecordComponent> COMPONENTS = List.of(LoraConfig.class.getRecordComponents());

    private ConfigColumns() {}

    static List<String> names() {
        return COMPONENTS.stream().map(RecordComponent::getName).toList();
    }

    /** The value of the named field; target modules by their names, a space between. */
    static String text(LoraConfig config, String name) {
        Object value = value(config, name);
        return value instanceof Collection<?> values
                ? values.stream().map(ConfigColumns::element).collect(Collectors.joining(" "))
                : value.toString();
    }

    private static String element(Object value) {
        return value instanceof TargetModule module ? module.moduleName() : value.toString();
    }

    private static Object value(LoraConfig config, String name) {
        RecordComponent component = COMPONENTS.stream()
                .filter(candidate -> candidate.getName().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        "A LoRA configuration has no field (%s), only %s.".formatted(name, names())));
        try {
            return component.getAccessor().invoke(config);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("Field (%s) of a LoRA configuration is not readable.".formatted(name), e);
        }
    }
}
