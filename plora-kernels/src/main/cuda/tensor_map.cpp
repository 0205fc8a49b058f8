#include "tensor_map.h"

#include <dlfcn.h>

#include "status.h"

namespace {

using Encode = CUresult (*)(
    CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *, const cuuint64_t *, const cuuint64_t *, const cuuint32_t *,
    const cuuint32_t *, CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

}  // namespace

int plora::make_map(CUtensorMap &map, const void *matrix, int rows, int columns, int stride, int box_rows) {
    static const Encode encode = [] {
        void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
        return driver == nullptr ? nullptr : (Encode)dlsym(driver, "cuTensorMapEncodeTiled");
    }();
    if (encode == nullptr) return fail(PLORA_CUDA, "The driver lacks a function (cuTensorMapEncodeTiled).");
    cuuint64_t sizes[2] = {(cuuint64_t)columns, (cuuint64_t)rows}, bytes = (cuuint64_t)stride * 2;
    cuuint32_t box[2] = {64, (cuuint32_t)box_rows}, steps[2] = {1, 1};
    CUresult status =
        encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, (void *)matrix, sizes, &bytes, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
               CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    return status == CUDA_SUCCESS ? PLORA_OK : fail(PLORA_CUDA, "cuTensorMapEncodeTiled failed (%d).", (int)status);
}
