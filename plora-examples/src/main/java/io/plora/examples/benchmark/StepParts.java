package io.plora.examples.benchmark;

import io.plora.kernels.Kernels;
import io.plora.kernels.cuda.CudaKernels;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Kernels that wait for every operation and add up how long each kind took, by the parts of the time model. Waiting adds some
 * microseconds to each call, so the parts' sum is more than a step takes.
 */
final class StepParts {
    private final Kernels kernels;
    private final Kernels timed;
    private final Map<String, Part> parts = new LinkedHashMap<>();

    /** Seconds and calls so far. */
    record Part(double seconds, int calls) {
        Part plus(double more) {
            return new Part(seconds + more, calls + 1);
        }
    }

    StepParts(Kernels kernels) {
        this.kernels = kernels;
        this.timed = (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(),
                new Class<?>[] {Kernels.class},
                (proxy, method, arguments) -> time(method, arguments));
    }

    Kernels timed() {
        return timed;
    }

    /** Forgets what was timed so far. */
    void restart() {
        parts.clear();
    }

    /** By name of the part, in the order of their first operation. */
    Map<String, Part> parts() {
        return parts;
    }

    private @Nullable Object time(Method method, Object[] arguments) throws Throwable {
        if (method.getName().equals("repeatable")) {
            ((Runnable) arguments[2]).run(); // nothing could be awaited in a recording
            return null;
        }
        long start = System.nanoTime();
        try {
            return method.invoke(kernels, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        } finally {
            String part = part(method.getName());
            if (part != null) {
                if (kernels instanceof CudaKernels cuda) {
                    cuda.synchronize();
                }
                double seconds = (System.nanoTime() - start) / 1e9;
                parts.put(part, parts.getOrDefault(part, new Part(0, 0)).plus(seconds));
            }
        }
    }

    /** Frozen and low-rank products are one operation; null for what is no part of a step. */
    private static @Nullable String part(String operation) {
        String name = operation.toLowerCase(Locale.ROOT);
        if (name.startsWith("project")) {
            return "products and low-rank";
        } else if (name.startsWith("attention")) {
            return "attention";
        } else if (name.equals("crossentropy")) {
            return "loss";
        } else if (name.equals("optimize")) {
            return "optimizer";
        }
        boolean pointwise = name.startsWith("rmsnorm")
                || name.startsWith("swiglu")
                || name.equals("rotary")
                || name.equals("embed")
                || name.equals("copy")
                || name.equals("zero");
        return pointwise ? "pointwise" : null;
    }
}
