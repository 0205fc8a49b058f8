package io.plora.model;

import com.google.common.base.Throwables;
import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.el.JinjavaInterpreterResolver;
import com.hubspot.jinjava.el.ext.ExtendedParser;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.exptest.IsIterableExpTest;
import com.hubspot.jinjava.lib.filter.Filter;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import com.hubspot.jinjava.lib.tag.Tag;
import com.hubspot.jinjava.objects.date.StrftimeFormatter;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.TagNode;
import java.time.Clock;
import java.time.Instant;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import jinjava.javax.el.CompositeELResolver;
import org.jspecify.annotations.Nullable;

/** Jinjava set up as transformers sets up Jinja2 for chat templates, with the Python that those templates use. */
final class JinjaEnvironment {
    private static final String STRFTIME_NOW = "strftime_now";
    private static final String RAISE_EXCEPTION = "raise_exception";
    private static final String FILTER = ExtendedParser.FILTER_PREFIX;
    private static final String TEST = ExtendedParser.EXPTEST_PREFIX;

    private final Jinjava jinjava;

    JinjaEnvironment(Clock clock) {
        CompositeELResolver resolver = new CompositeELResolver();
        resolver.add(new PythonStringMethods());
        resolver.add(JinjavaInterpreterResolver.DEFAULT_RESOLVER_READ_WRITE);
        jinjava = new Jinjava(JinjavaConfig.newBuilder()
                // what a user wrote is text, even if it looks like a template
                .withNestedInterpretationEnabled(false)
                .withLegacyOverrides(LegacyOverrides.Builder.from(LegacyOverrides.ALL)
                        // it writes control characters of a text as escapes
                        .withUsePyishObjectMapper(false)
                        .build())
                .withLocale(Locale.ROOT)
                .withTimeZone(clock.getZone())
                .withDateTimeProvider(clock::millis)
                .withElResolver(resolver)
                .build());
        jinjava.registerFilter(new PythonJsonFilter());
        jinjava.registerFilter(new PythonTrimFilter());
        jinjava.registerExpTest(new IterableTest());
        jinjava.registerTag(new GenerationTag());
        register(RAISE_EXCEPTION, "raiseException");
        register(STRFTIME_NOW, "strftimeNow");
    }

    /**
     * Renders a template.
     *
     * @param source without whitespace control, see {@link JinjaWhitespace}
     * @throws IllegalArgumentException on the first thing that Jinja2 would refuse
     */
    String render(String source, Map<String, @Nullable Object> variables) {
        Map<String, @Nullable Object> all = new HashMap<>(variables);
        // templates ask whether these functions are defined
        all.put(RAISE_EXCEPTION, true);
        all.put(STRFTIME_NOW, true);
        RenderResult result = jinjava.renderForResult(source, all);
        if (!result.getErrors().isEmpty()) {
            TemplateError error = result.getErrors().get(0);
            Exception cause = error.getException();
            throw new IllegalArgumentException(
                    cause == null
                            ? error.getMessage()
                            : Throwables.getRootCause(cause).getMessage(),
                    cause);
        }
        result.getContext().getResolvedValues().forEach(this::requireKnown);
        return result.getOutput();
    }

    /** Jinjava takes an unknown filter or test for null. */
    private void requireKnown(String resolved) {
        if (resolved.startsWith(FILTER) && global().getFilter(resolved.substring(FILTER.length())) == null
                || resolved.startsWith(TEST) && global().getExpTest(resolved.substring(TEST.length())) == null) {
            throw new IllegalArgumentException("no support for the %s".formatted(resolved.replace(':', ' ')));
        }
    }

    private Context global() {
        return jinjava.getGlobalContext();
    }

    private void register(String function, String method) {
        jinjava.registerFunction(new ELFunctionDefinition("", function, JinjaEnvironment.class, method, String.class));
    }

    /** Called by templates that refuse a conversation. */
    public static String raiseException(String message) {
        throw new IllegalArgumentException(message);
    }

    /** Called by templates that write the date. */
    public static String strftimeNow(String format) {
        JinjavaConfig config = JinjavaInterpreter.getCurrent().getConfig();
        Instant now = Instant.ofEpochMilli(config.getDateTimeProvider().getCurrentTimeMillis());
        return StrftimeFormatter.format(now.atZone(config.getTimeZone()), format, Locale.ENGLISH);
    }

    /** Jinjava's own also removes control characters, and keeps spaces that are not ASCII. */
    private static final class PythonTrimFilter implements Filter {
        @Override
        public String getName() {
            return "trim";
        }

        @Override
        public Object filter(@Nullable Object value, JinjavaInterpreter interpreter, String... arguments) {
            String characters = arguments.length > 0 ? arguments[0] : null;
            return value == null
                    ? ""
                    : PythonStringMethods.characters(characters).trimFrom(value.toString());
        }
    }

    /** Text is iterable in Python. */
    private static final class IterableTest extends IsIterableExpTest {
        @Override
        public boolean evaluate(@Nullable Object value, JinjavaInterpreter interpreter, Object... arguments) {
            return value instanceof String || value instanceof Map || super.evaluate(value, interpreter, arguments);
        }
    }

    /** Block around what the assistant says: only a mark, its body is rendered as it is. */
    private static final class GenerationTag implements Tag {
        private static final long serialVersionUID = 1;

        @Override
        public String getName() {
            return "generation";
        }

        @Override
        public String interpret(TagNode tag, JinjavaInterpreter interpreter) {
            StringBuilder body = new StringBuilder();
            for (Node child : tag.getChildren()) {
                body.append(child.render(interpreter).getValue());
            }
            return body.toString();
        }
    }
}
