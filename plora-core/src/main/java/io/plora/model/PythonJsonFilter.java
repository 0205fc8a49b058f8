package io.plora.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.core.util.Separators.Spacing;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.AdvancedFilter;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The filter tojson as transformers defines it: Python's {@code json.dumps(value, ensure_ascii=False, indent=...)}. */
final class PythonJsonFilter implements AdvancedFilter {
    private static final JsonMapper MAPPER =
            JsonMapper.builder().disable(JsonWriteFeature.WRITE_HEX_UPPER_CASE).build();
    private static final Separators SEPARATORS = Separators.createDefaultInstance()
            .withObjectFieldValueSpacing(Spacing.AFTER)
            .withObjectEmptySeparator("")
            .withArrayEmptySeparator("");

    @Override
    public String getName() {
        return "tojson";
    }

    @Override
    public Object filter(
            @Nullable Object value, JinjavaInterpreter interpreter, Object[] arguments, Map<String, Object> named) {
        try {
            return MAPPER.writer(printer(named.get("indent"))).writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("tojson cannot write this value: " + e.getOriginalMessage(), e);
        }
    }

    private static DefaultPrettyPrinter printer(@Nullable Object indent) {
        if (indent instanceof Number spaces) {
            DefaultIndenter indenter = new DefaultIndenter(" ".repeat(spaces.intValue()), "\n");
            return new DefaultPrettyPrinter(SEPARATORS)
                    .withObjectIndenter(indenter)
                    .withArrayIndenter(indenter);
        }
        DefaultPrettyPrinter.NopIndenter oneLine = DefaultPrettyPrinter.NopIndenter.instance;
        return new DefaultPrettyPrinter(
                        SEPARATORS.withObjectEntrySpacing(Spacing.AFTER).withArrayValueSpacing(Spacing.AFTER))
                .withObjectIndenter(oneLine)
                .withArrayIndenter(oneLine);
    }
}
