package io.plora.data;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Text with a row's fields in it: {@code {name}} stands for a field, {@code {{} and {@code }}} for braces. */
final class Template {
    private static final Pattern BRACES = Pattern.compile("\\{\\{|}}|\\{([^{}]+)}|[{}]");

    private record Part(boolean isField, String text) {}

    private final List<Part> parts = new ArrayList<>();

    /** @throws IllegalArgumentException if braces do not match */
    Template(String template) {
        Matcher braces = BRACES.matcher(template);
        int end = 0;
        while (braces.find()) {
            parts.add(new Part(false, template.substring(end, braces.start())));
            parts.add(part(braces, template));
            end = braces.end();
        }
        parts.add(new Part(false, template.substring(end)));
    }

    private static Part part(Matcher braces, String template) {
        String field = braces.group(1);
        if (field != null) {
            return new Part(true, field);
        }
        if (braces.group().length() == 1) {
            throw new IllegalArgumentException(
                    "Template (%s): the brace at position (%d) belongs to no {field}. Maybe it is meant literally: write {{ or }}."
                            .formatted(template, braces.start()));
        }
        return new Part(false, braces.group().substring(1));
    }

    String render(Row row) {
        StringBuilder text = new StringBuilder();
        for (Part part : parts) {
            text.append(part.isField() ? row.text(part.text()) : part.text());
        }
        return text.toString();
    }
}
