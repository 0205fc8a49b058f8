package io.plora.execute;

import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import org.jspecify.annotations.Nullable;

/** The CPU, with somebody between the trainer and its kernels. */
record TestDevice(String name, long memoryBytes, Interceptor interceptor) implements ComputeDevice {

    /** Sees a call of the kernels before or after it is made. */
    @FunctionalInterface
    interface Interceptor {
        @Nullable Object call(Call call, Method method, Object[] arguments) throws Throwable;
    }

    /** Makes the call. */
    @FunctionalInterface
    interface Call {
        @Nullable Object proceed() throws Throwable;
    }

    static TestDevice of(Interceptor interceptor) {
        return new TestDevice("test device", 1L << 32, interceptor);
    }

    /** With a name and a limit of memory. */
    static TestDevice of(String name, long memoryBytes) {
        return new TestDevice(name, memoryBytes, (call, method, arguments) -> call.proceed());
    }

    @Override
    public DType activationType() {
        return DType.F32;
    }

    @Override
    public DType parameterType() {
        return DType.F32;
    }

    @Override
    public int lossChunkRows(int vocabularySize) {
        return ComputeDevice.cpu(1, 1).lossChunkRows(vocabularySize);
    }

    @Override
    public Kernels open() {
        Kernels kernels = ComputeDevice.cpu(2, memoryBytes).open();
        return (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(),
                new Class<?>[] {Kernels.class},
                (proxy, method, arguments) ->
                        interceptor.call(() -> invoke(kernels, method, arguments), method, arguments));
    }

    private static @Nullable Object invoke(Kernels kernels, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(kernels, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
