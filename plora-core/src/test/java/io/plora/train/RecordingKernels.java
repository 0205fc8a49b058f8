package io.plora.train;

import io.plora.kernels.Kernels;
import io.plora.kernels.OptimizerStep;
import io.plora.kernels.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Kernels that also keep a copy of every gradient that reaches the optimizer. */
final class RecordingKernels {
    private final Kernels kernels;
    private final Map<Tensor, List<float[]>> gradients = new HashMap<>();

    RecordingKernels(Kernels delegate) {
        kernels = (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("optimize")) {
                        for (Object step : (List<?>) arguments[0]) {
                            Tensor gradient = ((OptimizerStep) step).adapter().gradients();
                            gradients
                                    .computeIfAbsent(gradient, key -> new ArrayList<>())
                                    .add(delegate.floats(gradient));
                        }
                    }
                    try {
                        return method.invoke(delegate, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    Kernels kernels() {
        return kernels;
    }

    /** The adapter's gradients in the order of its optimizer steps. */
    List<float[]> gradients(AdapterWeights adapter) {
        return gradients.getOrDefault(adapter.state().gradients(), List.of());
    }
}
