package io.plora.execute;

import io.plora.cost.MemoryModel;
import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.model.ModelConfig;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import org.jspecify.annotations.Nullable;

/** A device with somebody between the trainer and its kernels. */
record TestDevice(ComputeDevice device, String name, long memoryBytes, Interceptor interceptor)
        implements ComputeDevice {

    /** Sees a call of the kernels before or after it is made. */
    @FunctionalInterface
    interface Interceptor {
        @Nullable Object call(Call call, Method method, Object[] arguments) throws Throwable;
    }

    /** A call that is to be made. */
    record Call(Kernels kernels, Method method, Object[] arguments) {

        /** Makes it. */
        @Nullable Object proceed() throws Throwable {
            try {
                return method.invoke(kernels, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }
    }

    static TestDevice of(Interceptor interceptor) {
        return around(ComputeDevice.cpu(2, 1L << 32), interceptor);
    }

    static TestDevice around(ComputeDevice device, Interceptor interceptor) {
        return new TestDevice(device, "test device", device.memoryBytes(), interceptor);
    }

    /** With a name and a limit of memory. */
    static TestDevice of(String name, long memoryBytes) {
        return of(name, memoryBytes, (call, method, arguments) -> call.proceed());
    }

    /** With a name and a limit of memory. */
    static TestDevice of(String name, long memoryBytes, Interceptor interceptor) {
        return new TestDevice(ComputeDevice.cpu(2, memoryBytes), name, memoryBytes, interceptor);
    }

    @Override
    public DType activationType() {
        return device.activationType();
    }

    @Override
    public DType parameterType() {
        return device.parameterType();
    }

    @Override
    public int lossChunkRows(int vocabularySize) {
        return device.lossChunkRows(vocabularySize);
    }

    @Override
    public MemoryModel memory(ModelConfig model) {
        return device.memory(model);
    }

    @Override
    public ComputeDevice now() {
        ComputeDevice now = device.now();
        return now == device ? this : new TestDevice(now, name, now.memoryBytes(), interceptor);
    }

    @Override
    public Kernels open() {
        Kernels kernels = device.open();
        return (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(),
                new Class<?>[] {Kernels.class},
                (proxy, method, arguments) ->
                        interceptor.call(new Call(kernels, method, arguments), method, arguments));
    }
}
