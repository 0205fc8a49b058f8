// Descriptions of matrices for tensor copies.
#pragma once
#include <cuda.h>

namespace plora {

// How boxes of 64 columns and so many rows of a bf16 matrix, its rows `stride` elements apart, are copied, swizzled as
// chunk_at<64> does; what lies outside the matrix is zeros.
int make_map(CUtensorMap &map, const void *matrix, int rows, int columns, int stride, int box_rows);

}  // namespace plora
