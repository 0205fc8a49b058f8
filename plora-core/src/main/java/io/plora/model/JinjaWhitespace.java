package io.plora.model;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Applies Jinja2's whitespace rules to a template once, with trim_blocks and lstrip_blocks on, so that what remains has no
 * whitespace control in it. Jinjava's own rules differ: it also strips spaces in front of a tag that does not start a line.
 *
 * <p>Comments vanish; the content of a raw block is left as it is.
 */
final class JinjaWhitespace {
    private static final Pattern START = Pattern.compile("\\{([%{#])([-+]?)");
    private static final Pattern RAW_END = Pattern.compile("\\{%[-+]?\\s*endraw");

    private final String source;
    private final StringBuilder result = new StringBuilder();
    private int position;

    private JinjaWhitespace(String source) {
        this.source = source;
    }

    /** All line ends become \n and the last one is dropped. */
    static String resolve(String template) {
        String lines = template.replace("\r\n", "\n").replace('\r', '\n');
        return new JinjaWhitespace(lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines).resolve();
    }

    private String resolve() {
        Matcher start = START.matcher(source);
        while (start.find(position)) {
            char kind = start.group(1).charAt(0);
            result.append(textBefore(start, kind));
            int end = kind == '#' ? source.indexOf("#}", start.end()) : endOfCode(start.end(), kind == '%' ? '%' : '}');
            if (end < 0) {
                position = start.start();
                break;
            }
            boolean signed = end > start.end() && "-+".indexOf(source.charAt(end - 1)) >= 0;
            String code = source.substring(start.end(), signed ? end - 1 : end).strip();
            if (kind != '#') {
                result.append('{').append(kind).append(' ').append(code).append(' ');
                result.append(kind == '%' ? "%}" : "}}");
            }
            skipAfter(end + 2, kind, signed ? source.charAt(end - 1) : ' ');
            if (kind == '%' && code.equals("raw")) {
                copyRaw();
            }
        }
        return result.append(source, position, source.length()).toString();
    }

    /** The text in front of a tag: - strips it, else a block or comment strips what it is indented by. */
    private String textBefore(Matcher start, char kind) {
        String text = source.substring(position, start.start());
        if (start.group(2).equals("-")) {
            return PythonStringMethods.WHITESPACE.trimTrailingFrom(text);
        }
        if (start.group(2).equals("+") || kind == '{') {
            return text;
        }
        int line = text.lastIndexOf('\n') + 1;
        boolean startsLine = line > 0 || position == 0 || source.charAt(position - 1) == '\n';
        return startsLine && PythonStringMethods.WHITESPACE.matchesAllOf(text.substring(line))
                ? text.substring(0, line)
                : text;
    }

    /** Where {@code %}} or {@code }}} ends the code that begins at a position; not inside quotes or brackets. */
    private int endOfCode(int from, char ending) {
        int depth = 0;
        for (int i = from; i < source.length() - 1; i++) {
            char c = source.charAt(i);
            if (depth == 0 && c == ending && source.charAt(i + 1) == '}') {
                return i;
            }
            if (c == '\'' || c == '"') {
                i = endOfQuote(i);
            } else if ("([{".indexOf(c) >= 0) {
                depth++;
            } else if (")]}".indexOf(c) >= 0) {
                depth--;
            }
        }
        return -1;
    }

    private int endOfQuote(int from) {
        int i = from + 1;
        while (i < source.length() && source.charAt(i) != source.charAt(from)) {
            i += source.charAt(i) == '\\' ? 2 : 1;
        }
        return i;
    }

    /** Goes on after a tag: - strips all whitespace there, else a block or comment strips a line end, unless + keeps it. */
    private void skipAfter(int from, char kind, char sign) {
        position = from;
        if (sign == '-') {
            while (position < source.length() && PythonStringMethods.WHITESPACE.matches(source.charAt(position))) {
                position++;
            }
        } else if (kind != '{' && sign != '+' && source.startsWith("\n", position)) {
            position++;
        }
    }

    private void copyRaw() {
        Matcher end = RAW_END.matcher(source);
        int to = end.find(position) ? end.start() : source.length();
        result.append(source, position, to);
        position = to;
    }
}
