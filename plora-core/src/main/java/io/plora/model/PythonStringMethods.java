package io.plora.model;

import com.google.common.base.CharMatcher;
import com.google.common.base.Splitter;
import java.beans.FeatureDescriptor;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import jinjava.javax.el.ELContext;
import jinjava.javax.el.ELResolver;
import org.jspecify.annotations.Nullable;

/** The methods of Python's str that chat templates call. */
final class PythonStringMethods extends ELResolver {

    /** What {@code str.isspace} is true for: Unicode's white space and four separators. */
    static final CharMatcher WHITESPACE = CharMatcher.whitespace().or(CharMatcher.inRange('\u001c', '\u001f'));

    @Override
    public @Nullable Object invoke(
            ELContext context,
            @Nullable Object base,
            Object method,
            Class<?> @Nullable [] types,
            Object @Nullable [] arguments) {
        if (!(base instanceof String text)) {
            return null;
        }
        Object result = call(text, method.toString(), arguments == null ? new Object[0] : arguments);
        context.setPropertyResolved(true);
        return result;
    }

    private static Object call(String text, String method, Object[] arguments) {
        @Nullable String first = arguments.length > 0 && arguments[0] != null ? arguments[0].toString() : null;
        return switch (method) {
            case "strip" -> characters(first).trimFrom(text);
            case "lstrip" -> characters(first).trimLeadingFrom(text);
            case "rstrip" -> characters(first).trimTrailingFrom(text);
            case "split" -> split(text, first, arguments);
            case "startswith" -> text.startsWith(required(method, first));
            case "endswith" -> text.endsWith(required(method, first));
            case "replace" -> text.replace(required(method, first), arguments[1].toString());
            case "find" -> text.indexOf(required(method, first));
            case "upper" -> text.toUpperCase(Locale.ROOT);
            case "lower" -> text.toLowerCase(Locale.ROOT);
            default -> throw new IllegalArgumentException("no support for the method (%s) of a text".formatted(method));
        };
    }

    /** What strip and the filter trim remove. */
    static CharMatcher characters(@Nullable String characters) {
        return characters == null ? WHITESPACE : CharMatcher.anyOf(characters);
    }

    private static List<String> split(String text, @Nullable String separator, Object[] arguments) {
        if (separator == null) {
            return Splitter.on(WHITESPACE).omitEmptyStrings().splitToList(text);
        }
        Splitter splitter = Splitter.on(separator);
        return arguments.length > 1
                ? splitter.limit(((Number) arguments[1]).intValue() + 1).splitToList(text)
                : splitter.splitToList(text);
    }

    private static String required(String method, @Nullable String argument) {
        if (argument == null) {
            throw new IllegalArgumentException("the method (%s) of a text needs an argument".formatted(method));
        }
        return argument;
    }

    @Override
    public @Nullable Object getValue(ELContext context, @Nullable Object base, Object property) {
        return null;
    }

    @Override
    public @Nullable Class<?> getType(ELContext context, @Nullable Object base, Object property) {
        return null;
    }

    @Override
    public void setValue(ELContext context, @Nullable Object base, Object property, @Nullable Object value) {}

    @Override
    public boolean isReadOnly(ELContext context, @Nullable Object base, Object property) {
        return true;
    }

    @Override
    public @Nullable Iterator<FeatureDescriptor> getFeatureDescriptors(ELContext context, @Nullable Object base) {
        return null;
    }

    @Override
    public @Nullable Class<?> getCommonPropertyType(ELContext context, @Nullable Object base) {
        return null;
    }
}
