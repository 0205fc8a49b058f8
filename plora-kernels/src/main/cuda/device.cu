// What the device is.
#include "device.cuh"

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
