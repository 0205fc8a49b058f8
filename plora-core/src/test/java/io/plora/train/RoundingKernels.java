package io.plora.train;

import io.plora.kernels.Kernels;
import io.plora.kernels.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;

/** Kernels that round activations and their gradients to bf16 after every operation: what bf16 costs, without a GPU. */
final class RoundingKernels {

    /** Where the arguments of operations have activations that they write. */
    private static final Map<String, List<Integer>> OUTPUTS = Map.ofEntries(
            Map.entry("embed", List.of(2)),
            Map.entry("rmsNorm", List.of(4)),
            Map.entry("rmsNormBackward", List.of(5)),
            Map.entry("project", List.of(4, 6)),
            Map.entry("projectBackward", List.of(6)),
            Map.entry("rotary", List.of(3)),
            Map.entry("attention", List.of(3)),
            Map.entry("attentionBackward", List.of(6)),
            Map.entry("swiGlu", List.of(2)),
            Map.entry("swiGluBackward", List.of(3)),
            Map.entry("crossEntropy", List.of(4)));

    private RoundingKernels() {}

    static Kernels of(Kernels delegate) {
        return (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                    Object result;
                    try {
                        result = method.invoke(delegate, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                    for (int output : OUTPUTS.getOrDefault(method.getName(), List.of())) {
                        if (arguments[output] instanceof Tensor tensor) {
                            round(delegate, tensor);
                        }
                    }
                    return result;
                });
    }

    private static void round(Kernels kernels, Tensor tensor) {
        float[] values = kernels.floats(tensor);
        for (int i = 0; i < values.length; i++) {
            values[i] = Vectors.bf16(values[i]);
        }
        kernels.write(tensor, values);
    }
}
