// Sizes that the launch plan and the kernels share.
#pragma once
#include <stdint.h>

#include "plora.h"

namespace plora {

constexpr int MAX_PARTS = 8;
constexpr int MAX_RANK = 256;

constexpr int ROWS = 64;            // rows of a tile of shrink, expand and gradient x
constexpr int SHRINK_THREADS = 128;
constexpr int SHRINK_STAGES = 4;
constexpr int SHRINK_DEPTH = 64;    // inputs a step
constexpr int SHRINK_RANKS = 128;   // most low-rank columns of a tile

constexpr int CLUSTER_BLOCKS = 8;       // that make S or dS of few rows together: as many as every Hopper device can hold in a cluster
constexpr int CLUSTER_STAGE_BYTES = 96 * 1024;
constexpr int CLUSTER_RANKS = 64;       // most low-rank columns of a tile
constexpr int CLUSTER_FEWEST_ROWS = 16; // of a tile
constexpr int CLUSTER_MOST_ROWS = 256;  // of a batch

constexpr int THREADS = 256;        // of every other kernel
constexpr int EXPAND_COLUMNS = 128; // columns of a step
constexpr int expand_stages(int depth) { return depth >= 64 ? 2 : 3; }  // steps under way, of so many ranks

constexpr int GRADIENT_A_COLUMNS = 128;
constexpr int GRADIENT_A_STAGES = 3;
constexpr int GRADIENT_A_RANKS = 64;

constexpr int GRADIENT_B_COLUMNS = 64; // columns of a step
constexpr int GRADIENT_B_STAGES = 3;
constexpr int GRADIENT_B_RANKS = 64;

constexpr int LINEAR_ROWS = 128;     // of a block of plora_lora_linear, two halves of ROWS
constexpr int LINEAR_COLUMNS = 256;  // of a tile
constexpr int LINEAR_DEPTH = 64;     // of a step of a sum
constexpr int LINEAR_FEWEST_ROWS = 2 * LINEAR_ROWS + 1;  // with fewer, a tile of a cluster's two blocks is mostly empty
constexpr int SLICE_RANKS = 16;
constexpr int STEP_SLICES = 2;       // of a step over low-rank columns: as many as are loaded while a few steps of others pass
constexpr int MIXED_COLUMNS = 4 * EXPAND_COLUMNS;

constexpr int REDUCE_ELEMENTS = 1024;  // of a tile, one quad a thread
constexpr int REDUCE_SPLITS = 8;       // with more of them, each warp adds up some
constexpr int REDUCE_WARP = 128;       // elements of a tile then, one quad a lane

constexpr int pad_rank(int rank) { return (rank + 7) / 8 * 8; }

// The smallest size that kernels are built for: 16, 32, 64 or 128.
constexpr int round_ranks(int ranks) { return ranks <= 16 ? 16 : ranks <= 32 ? 32 : ranks <= 64 ? 64 : 128; }

// Gradient b: shared memory of a block that holds `rows` (64, 128 or 256) rows of S, for n = round_ranks(ranks).
constexpr int gradient_b_bytes(int rows, int n) {
    return rows * n * 2 + GRADIENT_B_STAGES * ((rows < 128 ? rows : 128) + n) * GRADIENT_B_COLUMNS * 2;
}

// Rows of a segment that a block holds at once.
constexpr int gradient_b_rows(int segment_rows, int n, int shared_memory) {
    int rows = segment_rows <= 64 ? 64 : segment_rows <= 128 ? 128 : 256;
    return gradient_b_bytes(rows, n) <= shared_memory ? rows : rows / 2;
}

}  // namespace plora
