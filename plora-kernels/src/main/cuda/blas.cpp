// Frozen products by the kernel for few rows where it is faster, else by cuBLAS, loaded at run time: 13, 12 or 11, whichever is
// there. Its headers are not needed; what is declared here is the same in all three.
#include <dlfcn.h>
#include <stdint.h>

#include <initializer_list>
#include <new>

#include "blas.h"
#include "frozen.h"
#include "status.h"

using namespace plora;

namespace {

constexpr int OPERATION_N = 0, OPERATION_T = 1, F32 = 0, BF16 = 14, COMPUTE_F32 = 68, DEFAULT_ALGORITHM = -1;
constexpr int DISALLOW_REDUCED_PRECISION = 16;  // partial sums in f32 where cuBLAS splits a sum

using Create = int (*)(void **);
using Destroy = int (*)(void *);
using SetStream = int (*)(void *, void *);
using SetWorkspace = int (*)(void *, void *, size_t);
using SetMathMode = int (*)(void *, int);
using GetVersion = int (*)(void *, int *);
using Gemm = int (*)(
    void *handle, int transa, int transb, int m, int n, int k, const void *alpha, const void *a, int atype, int lda,
    const void *b, int btype, int ldb, const void *beta, void *c, int ctype, int ldc, int compute, int algorithm);

}  // namespace

struct plora_blas {
    void *library;
    void *handle;
    void *workspace;
    size_t workspace_bytes;
    Destroy destroy;
    SetStream set_stream;
    SetWorkspace set_workspace;
    Gemm gemm;
    int version;
    plora_device device;
};

namespace {

void *open_library(const char *path) {
    if (path != nullptr) return dlopen(path, RTLD_NOW | RTLD_LOCAL);
    for (const char *name : {"libcublas.so.13", "libcublas.so.12", "libcublas.so.11"}) {
        void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (library != nullptr) return library;
    }
    return nullptr;
}

template <typename F>
bool resolve(void *library, const char *name, F &function) {
    function = (F)dlsym(library, name);
    return function != nullptr;
}

int check(int status, const char *what) {
    return status == 0 ? PLORA_OK : plora::fail(PLORA_BLAS, "%s failed with cuBLAS status (%d).", what, status);
}

int make_handle(plora_blas &blas) {
    Create create;
    SetMathMode set_math_mode;
    GetVersion get_version;
    bool found = resolve(blas.library, "cublasCreate_v2", create) && resolve(blas.library, "cublasDestroy_v2", blas.destroy)
        && resolve(blas.library, "cublasSetStream_v2", blas.set_stream)
        && resolve(blas.library, "cublasSetWorkspace_v2", blas.set_workspace)
        && resolve(blas.library, "cublasSetMathMode", set_math_mode)
        && resolve(blas.library, "cublasGetVersion_v2", get_version) && resolve(blas.library, "cublasGemmEx", blas.gemm);
    if (!found) return plora::fail(PLORA_BLAS, "This libcublas lacks a function (%s).", dlerror());
    PLORA_TRY(plora_device_query(&blas.device));
    PLORA_TRY(check(create(&blas.handle), "cublasCreate"));
    PLORA_TRY(check(get_version(blas.handle, &blas.version), "cublasGetVersion"));
    return check(set_math_mode(blas.handle, DISALLOW_REDUCED_PRECISION), "cublasSetMathMode");
}

// c (n, m) = b a + beta c for row-major c and b, where b's rows are b_stride apart; a is (k, m), or (m, k) when transposed.
int gemm(
    plora_blas *blas, bool transpose, int m, int n, int k, const void *a, const void *b, int b_stride, void *c, int c_type,
    float beta, void *stream) {
    if (n == 0) return PLORA_OK;
    PLORA_TRY(check(blas->set_stream(blas->handle, stream), "cublasSetStream"));
    PLORA_TRY(check(blas->set_workspace(blas->handle, blas->workspace, blas->workspace_bytes), "cublasSetWorkspace"));
    float alpha = 1.0f;
    int status = blas->gemm(blas->handle, transpose ? OPERATION_T : OPERATION_N, OPERATION_N, m, n, k, &alpha, a, BF16,
                            transpose ? k : m, b, BF16, b_stride, &beta, c, c_type, m, COMPUTE_F32, DEFAULT_ALGORITHM);
    return check(status, "cublasGemmEx");
}

// blas_product, by the kernel for few rows where that is faster.
int product(
    plora_blas *blas, bool backward, const void *x, int x_stride, const void *w, void *out, int rows, int columns, int depth, float beta,
    void *stream) {
    FrozenPlan plan;
    if (frozen_plan(blas->device, backward, rows, columns, depth, plan)) {
        return frozen_product(plan, backward, x, x_stride, w, out, rows, columns, depth, beta, stream);
    }
    return blas_product(blas, backward, x, x_stride, w, out, rows, columns, depth, beta, stream);
}

}  // namespace

int plora_blas_create(const char *library, void *workspace, int64_t workspace_bytes, plora_blas **result) {
    void *opened = open_library(library);
    if (opened == nullptr) {
        return plora::fail(PLORA_BLAS, "cuBLAS was not found (%s). Maybe add its directory to LD_LIBRARY_PATH.", dlerror());
    }
    plora_blas *blas = new (std::nothrow) plora_blas();
    if (blas == nullptr) return plora::fail(PLORA_BLAS, "No memory for a cuBLAS handle.");
    blas->library = opened;
    blas->workspace = workspace;
    blas->workspace_bytes = (size_t)workspace_bytes;
    int status = make_handle(*blas);
    if (status != PLORA_OK) {
        plora_blas_destroy(blas);
        return status;
    }
    *result = blas;
    return PLORA_OK;
}

int plora_blas_destroy(plora_blas *blas) {
    int status = blas->handle == nullptr ? PLORA_OK : check(blas->destroy(blas->handle), "cublasDestroy");
    delete blas;  // the library stays loaded: cuBLAS does not survive being unloaded
    return status;
}

int32_t plora_blas_version(const plora_blas *blas) { return blas->version; }

int plora_linear(
    plora_blas *blas, const void *x, const void *w, void *y, int32_t rows, int32_t inputs, int32_t outputs, float beta,
    void *stream) {
    return product(blas, false, x, inputs, w, y, rows, outputs, inputs, beta, stream);
}

int plora_linear_backward(
    plora_blas *blas, const void *dy, const void *w, void *dx, int32_t rows, int32_t inputs, int32_t outputs, float beta,
    void *stream) {
    return product(blas, true, dy, outputs, w, dx, rows, inputs, outputs, beta, stream);
}

int plora_logits(
    plora_blas *blas, const void *x, const void *w, float *y, int32_t rows, int32_t inputs, int32_t outputs, void *stream) {
    return gemm(blas, true, outputs, rows, inputs, w, x, inputs, y, F32, 0.0f, stream);
}

int plora::logits_backward(
    plora_blas *blas, const void *dlogits, int32_t stride, const void *w, void *dx, int32_t rows, int32_t inputs,
    int32_t outputs, void *stream) {
    return product(blas, true, dlogits, stride, w, dx, rows, inputs, outputs, 0.0f, stream);
}

int plora::blas_product(
    plora_blas *blas, bool backward, const void *x, int x_stride, const void *w, void *out, int rows, int columns, int depth, float beta,
    void *stream) {
    return gemm(blas, !backward, columns, rows, depth, w, x, x_stride, out, BF16, beta, stream);
}
