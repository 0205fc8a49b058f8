// What the device is.
#include "device.cuh"

int plora_use_device(int32_t device) {
    PLORA_CHECK(cudaSetDevice(device));
    return PLORA_OK;
}

int plora_device_query(plora_device *device) {
    int current, major, minor;
    PLORA_CHECK(cudaGetDevice(&current));
    PLORA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, current));
    PLORA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, current));
    PLORA_CHECK(cudaDeviceGetAttribute(&device->multiprocessors, cudaDevAttrMultiProcessorCount, current));
    PLORA_CHECK(cudaDeviceGetAttribute(&device->shared_memory, cudaDevAttrMaxSharedMemoryPerBlockOptin, current));
    device->compute_capability = major * 10 + minor;
    return PLORA_OK;
}

int plora_zero(void *to, int64_t bytes, void *stream) {
    PLORA_CHECK(cudaMemsetAsync(to, 0, (size_t)bytes, (cudaStream_t)stream));
    return PLORA_OK;
}

int plora_copy(void *to, const void *from, int64_t bytes, void *stream) {
    PLORA_CHECK(cudaMemcpyAsync(to, from, (size_t)bytes, cudaMemcpyDefault, (cudaStream_t)stream));
    return PLORA_OK;
}

int plora_synchronize(void *stream) {
    PLORA_CHECK(cudaStreamSynchronize((cudaStream_t)stream));
    return PLORA_OK;
}
