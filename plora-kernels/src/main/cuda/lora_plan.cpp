// The launch plan of packed LoRA: which block does what, computed on the host without a GPU.
//
// Sums over a long dimension (inputs in shrink, outputs in dS) are split so that few adapters still fill the chip; partial
// sums go to the workspace and are added in a fixed order by a launch of their own, or by clusters where there are few rows. Tiles
// with the most work come first.
#include "lora_plan.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "status.h"

namespace {

using namespace plora;

int divide_up(int a, int b) { return (a + b - 1) / b; }

// One adapter's slice of the low-rank columns: at most the size of a tile, within one part where masks differ.
struct Slice {
    int part;       // -1: parts side by side
    int rank;       // first column, all parts side by side
    int part_rank;  // the same within the part
    int ranks;
};

struct Planner {
    const plora_lora_shape &shape;
    const plora_device &device;
    std::vector<plora_tile> lists[PLORA_LISTS];
    std::vector<int64_t> low_rank;  // where each adapter's low-rank rows start
    int64_t low_rank_elements = 0;
    int64_t partial_elements = 0;
    int largest_rank = 0, shrink_ranks = 0, gradient_a_ranks = 0, gradient_b_ranks = 0, gradient_b_shared = 0;
    int linear_steps = 0, linear_backward_steps = 0, linear_clusters = 0, linear_backward_clusters = 0, mixed_rows = 0;
    int cluster_rows = 0;

    Planner(const plora_lora_shape &s, const plora_device &d) : shape(s), device(d) {
        for (int a = 0; a < shape.adapters; a++) {
            low_rank.push_back(low_rank_elements);
            low_rank_elements += (int64_t)rows(a) * stride(a);
            for (int p = 0; p < shape.parts; p++) largest_rank = std::max(largest_rank, rank(a, p));
        }
        cluster_rows = choose_cluster_rows();
    }

    int rows(int a) const { return shape.adapter_starts[a + 1] - shape.adapter_starts[a]; }
    int rank(int a, int p) const { return shape.ranks[a * shape.parts + p]; }
    bool drops(int a, int p) const { return shape.drops[a * shape.parts + p] != 0; }

    bool overwrites(int a) const { return shape.overwrites != nullptr && shape.overwrites[a] != 0; }

    // Whether gradients get a value: a segment without rows adds nothing, but overwrites with zeros.
    bool has_gradient(int a) const { return rows(a) > 0 || overwrites(a); }

    int part_offset(int a, int p) const {
        int offset = 0;
        for (int i = 0; i < p; i++) offset += pad_rank(rank(a, i));
        return offset;
    }

    int stride(int a) const { return part_offset(a, shape.parts); }

    // Slices of at most `most` columns; parts with dropout have their own.
    std::vector<Slice> slices(int a, int most, bool by_part) const {
        for (int p = 0; p < shape.parts; p++) by_part = by_part || (rank(a, p) > 0 && drops(a, p));
        std::vector<Slice> result;
        for (int p = 0; p < (by_part ? shape.parts : 1); p++) {
            int first = by_part ? part_offset(a, p) : 0;
            int width = by_part ? pad_rank(rank(a, p)) : stride(a);
            for (int r = 0; r < width; r += most) {
                result.push_back({by_part ? p : -1, first + r, r, std::min(most, width - r)});
            }
        }
        return result;
    }

    plora_tile tile(int a, int row, int rows) const {
        plora_tile t = {};
        t.adapter = a;
        t.part = -1;
        t.row = shape.adapter_starts[a] + row;
        t.rows = rows;
        t.stride = stride(a);
        t.low_rank = low_rank[a] + (int64_t)row * t.stride;
        t.partial = -1;
        t.overwrite = overwrites(a);
        return t;
    }

    // A tile of one slice of the low-rank columns.
    plora_tile tile_of(int a, int row, int rows, const Slice &slice) const {
        plora_tile t = tile(a, row, rows);
        t.part = slice.part;
        t.rank = slice.rank;
        t.part_rank = slice.part_rank;
        t.ranks = slice.ranks;
        return t;
    }

    // Steps of each piece when `steps` are cut so that `others` x pieces blocks are some for each multiprocessor; into no fewer
    // than `fewest` pieces, so that blocks end evenly where there are many others.
    int piece(int steps, int64_t others, double blocks, int fewest) const {
        int64_t wanted = (int64_t)(device.multiprocessors * blocks) / std::max<int64_t>(1, others);
        return divide_up(steps, (int)std::min<int64_t>(steps, std::max<int64_t>(fewest, wanted)));
    }

    void reduce(int list, const plora_tile &whole, int splits) {
        int step = std::max(1, (splits > REDUCE_SPLITS ? REDUCE_WARP : REDUCE_ELEMENTS) / whole.ranks);
        for (int row = 0; row < whole.rows; row += step) {
            plora_tile t = whole;
            t.row += row;
            t.rows = std::min(step, whole.rows - row);
            t.low_rank += (int64_t)row * whole.stride;
            t.partial += (int64_t)row * whole.ranks;
            t.splits = splits;
            lists[list].push_back(t);
        }
    }

    // Tiles of S or dS, of so many rows each.
    int cluster_tiles_of(int height) const {
        int count = 0;
        for (int a = 0; a < shape.adapters; a++) count += divide_up(rows(a), height) * (int)slices(a, CLUSTER_RANKS, true).size();
        return count;
    }

    // Rows of the tiles of S and dS that clusters make together (lora_cluster.cu), or 0: where the largest tiles would leave
    // multiprocessors idle, and a launch takes longer to wait for than to do. Tiles are as large as they can be with work for most.
    int choose_cluster_rows() const {
        bool few = all_rows() <= CLUSTER_MOST_ROWS && cluster_tiles_of(ROWS) * CLUSTER_BLOCKS <= 2 * device.multiprocessors;
        if (device.compute_capability != 90 || !few) return 0;
        int height = ROWS;
        while (height > CLUSTER_FEWEST_ROWS && cluster_tiles_of(height) * CLUSTER_BLOCKS * 4 < device.multiprocessors * 3) height /= 2;
        return height;
    }

    // Of one part each; those of dS along the part's outputs.
    void cluster_tiles(int list) {
        for (int a = 0; a < shape.adapters; a++) {
            for (int row = 0; row < rows(a); row += cluster_rows) {
                for (const Slice &slice : slices(a, CLUSTER_RANKS, true)) {
                    plora_tile t = tile_of(a, row, std::min(cluster_rows, rows(a) - row), slice);
                    t.column = t.part_column = list == PLORA_SHRINK ? 0 : shape.part_from[slice.part];
                    t.columns = (list == PLORA_SHRINK ? shape.inputs : shape.part_to[slice.part]) - t.column;
                    t.turns = 1;
                    lists[list].push_back(t);
                }
            }
        }
    }

    void shrink() {
        if (cluster_rows > 0) {
            cluster_tiles(PLORA_SHRINK);
            return;
        }
        int64_t blocks = 0;
        for (int a = 0; a < shape.adapters; a++) {
            blocks += (int64_t)divide_up(rows(a), ROWS) * (int64_t)slices(a, SHRINK_RANKS, false).size();
        }
        int steps = divide_up(shape.inputs, SHRINK_DEPTH);
        shrink_tiles(PLORA_SHRINK, divide_up(steps, std::max(2, piece(steps, blocks, 2, 1))));
        int fewest = clusters_in(shape.outputs, turns(shape.outputs));
        bool beside = blocks > 0 && shrink_pays_beside(blocks, idle(fewest));
        if (beside) shrink_tiles(PLORA_LINEAR_SHRINK, 1);
        linear_clusters = beside ? fewest : most_clusters(shape.outputs);
    }

    // Whether S is made beside the frozen product of plora_lora_linear, and low-rank terms are added to Y afterwards: where
    // multiprocessors that the product would leave idle in its last turn hold all blocks of shrink at once, without splits, which
    // then end before it does; and X and A are twice the bytes of the pass over Y. (Measured on an H100.)
    bool shrink_pays_beside(int64_t blocks, int idle) const {
        int64_t read = (all_rows() + rank_sum()) * shape.inputs, pass = (int64_t)all_rows() * shape.outputs * 2;  // elements
        return device.compute_capability == 90 && blocks <= 2 * idle && read >= 2 * pass;
    }

    int64_t rank_sum() const { return std::accumulate(shape.ranks, shape.ranks + shape.adapters * shape.parts, (int64_t)0); }

    void shrink_tiles(int list, int splits) {
        for (int a = 0; a < shape.adapters; a++) {
            for (int row = 0; row < rows(a); row += ROWS) {
                for (const Slice &slice : slices(a, SHRINK_RANKS, false)) {
                    plora_tile t = tile_of(a, row, std::min(ROWS, rows(a) - row), slice);
                    shrink_ranks = std::max(shrink_ranks, round_ranks(t.ranks));
                    split_shrink(list, t, splits);
                }
            }
        }
    }

    void split_shrink(int list, plora_tile t, int splits) {
        t.split_stride = (int64_t)t.rows * t.ranks;
        if (splits > 1) {
            t.partial = partial_elements;
            partial_elements += t.split_stride * splits;
            reduce(PLORA_SHRINK_REDUCE, t, splits);
        }
        for (int split = 0; split < splits; split++) {
            plora_tile s = t;
            s.column = split * SHRINK_DEPTH;
            s.columns = shape.inputs - s.column;
            s.turns = splits;
            s.partial = splits > 1 ? t.partial + split * t.split_stride : -1;
            lists[list].push_back(s);
        }
    }

    // Tiles of 64 rows over columns from .. to - 1, in pieces of a width.
    void row_tiles(int list, int a, const Slice &slice, int from, int to, int width) {
        some_row_tiles(list, a, 0, rows(a), slice, from, to, width);
    }

    // The same of rows first .. end - 1 of the adapter.
    void some_row_tiles(int list, int a, int first, int end, const Slice &slice, int from, int to, int width) {
        for (int row = first; row < end; row += ROWS) {
            for (int column = from; column < to; column += width) {
                plora_tile t = tile(a, row, std::min(ROWS, end - row));
                t.part = slice.part;
                t.rank = slice.rank;
                t.ranks = slice.ranks;
                t.column = column;
                t.columns = std::min(width, to - column);
                t.part_column = from;
                lists[list].push_back(t);
            }
        }
    }

    int row_tile_count() const {
        int count = 0;
        for (int a = 0; a < shape.adapters; a++) count += divide_up(rows(a), ROWS);
        return count;
    }

    // Columns between parts belong to no adapter, but have a bias, or must be zero for cuBLAS to add to.
    void expand() {
        int width = piece(divide_up(shape.outputs, EXPAND_COLUMNS), row_tile_count(), 4, 2) * EXPAND_COLUMNS;
        for (int a = 0; a < shape.adapters; a++) {
            int done = 0;
            for (int p = 0; p < shape.parts; p++) {
                row_tiles(PLORA_EXPAND, a, {-1, 0, 0, 0}, done, shape.part_from[p], width);
                Slice part = {p, part_offset(a, p), 0, pad_rank(rank(a, p))};
                row_tiles(PLORA_EXPAND, a, part, shape.part_from[p], shape.part_to[p], width);
                done = shape.part_to[p];
            }
            row_tiles(PLORA_EXPAND, a, {-1, 0, 0, 0}, done, shape.outputs, width);
        }
    }

    void gradient_x() {
        int width = piece(divide_up(shape.inputs, EXPAND_COLUMNS), row_tile_count(), 1.25, 4) * EXPAND_COLUMNS;
        for (int a = 0; a < shape.adapters; a++) {
            row_tiles(PLORA_GRADIENT_X, a, {-1, 0, 0, stride(a)}, 0, shape.inputs, width);
        }
    }

    void gradient_a() {
        int64_t others = 0;
        for (int a = 0; a < shape.adapters; a++) {
            if (has_gradient(a)) others += (int64_t)slices(a, GRADIENT_A_RANKS, false).size();
        }
        int steps = divide_up(shape.inputs, GRADIENT_A_COLUMNS);
        gradient_a_tiles(PLORA_GRADIENT_A, piece(steps, others, 1.75, 4), false);
        int now = turns(shape.inputs), fewest = clusters_in(shape.inputs, now), fewer = clusters_in(shape.inputs, now + 1);
        bool beside = gradient_a_pays_beside(now + 1, idle(fewer)), both = !beside && gradient_b_pays_beside(now, idle(fewest));
        gradient_a_tiles(PLORA_LINEAR_GRADIENT_A, piece(steps, others, beside ? 10 : 2.5, 4), true);
        if (both) gradient_b_beside();
        linear_backward_clusters = beside ? fewer : both ? fewest : most_clusters(shape.inputs);
    }

    // Whether the product of plora_lora_linear_backward takes one turn more, so that gradient a runs beside it on the
    // multiprocessors that this leaves idle: where that turn is short and they do nearly all of gradient a meanwhile. (Measured on
    // an H100.)
    bool gradient_a_pays_beside(int turns, int idle) const {
        double alone = gradient_a_bytes() / 2.5e6, beside = microseconds_beside(gradient_a_bytes(), idle);
        return alone >= 1.5 * turn_of_backward() && 0.9 * beside <= turns * turn_of_backward();
    }

    // Whether dS alone is made before that product, and gradients a and b beside it, which takes no turn more but fewer clusters:
    // where multiprocessors that its last turn leaves idle have the time for both, and dB, which is not written before the product
    // then, is no less than half of dY, which is read twice. (Measured on an H100.)
    bool gradient_b_pays_beside(int turns, int idle) const {
        double read = 0, written = 0;
        each_b([&](int a, const Slice &slice) {
            double columns = shape.part_to[slice.part] - shape.part_from[slice.part];
            read += 2 * columns * rows(a);
            written += 4 * columns * slice.ranks;
        });
        double beside = microseconds_beside(gradient_a_bytes() + read + written, idle);
        return device.compute_capability == 90 && cluster_rows == 0 && idle > 0 && 2 * written >= read
            && beside <= 0.9 * turns * turn_of_backward();
    }

    double gradient_a_bytes() const { return (2.0 * all_rows() + 4.0 * (double)rank_sum()) * shape.inputs; }

    // How long one turn takes in the product of plora_lora_linear_backward.
    double turn_of_backward() const { return 5 + 0.66 * divide_up(shape.outputs, LINEAR_DEPTH); }  // microseconds

    static double microseconds_beside(double bytes, int multiprocessors) { return bytes / (45e3 * std::max(1, multiprocessors)); }

    // Blocks of so many steps each, neighbouring ones or by turns. (By turns is faster alone, but not beside gradient x.)
    void gradient_a_tiles(int list, int block_steps, bool by_turns) {
        int blocks = divide_up(divide_up(shape.inputs, GRADIENT_A_COLUMNS), block_steps);
        for (int a = 0; a < shape.adapters; a++) {
            for (const Slice &slice : slices(a, GRADIENT_A_RANKS, false)) {
                for (int block = 0; block < blocks && has_gradient(a); block++) {
                    plora_tile t = tile(a, 0, rows(a));
                    t.part = slice.part;
                    t.rank = slice.rank;
                    t.ranks = slice.ranks;
                    t.column = block * (by_turns ? 1 : block_steps) * GRADIENT_A_COLUMNS;
                    t.columns = shape.inputs - t.column;
                    if (!by_turns) t.columns = std::min(t.columns, block_steps * GRADIENT_A_COLUMNS);
                    t.turns = by_turns ? blocks : 1;
                    gradient_a_ranks = std::max(gradient_a_ranks, round_ranks(t.ranks));
                    lists[list].push_back(t);
                }
            }
        }
    }

    int rows_held(int a, const Slice &slice) const {
        return gradient_b_rows(rows(a), round_ranks(slice.ranks), device.shared_memory);
    }

    // Bytes that one step of 64 columns moves: a group's dY and B, and dB.
    int64_t gradient_b_cost(int a, const Slice &slice) const {
        int held = rows_held(a, slice), n = round_ranks(slice.ranks);
        return (int64_t)GRADIENT_B_COLUMNS * divide_up(std::max(1, rows(a)), held) * (held * 2 + n * 6);
    }

    // Calls action(adapter, slice) for what gradient b makes.
    template <typename Action>
    void each_b(Action action) const {
        for (int a = 0; a < shape.adapters; a++) {
            if (!has_gradient(a)) continue;
            for (const Slice &slice : slices(a, GRADIENT_B_RANKS, true)) action(a, slice);
        }
    }

    int gradient_b_steps(const Slice &slice) const {
        return divide_up(shape.part_to[slice.part] - shape.part_from[slice.part], GRADIENT_B_COLUMNS);
    }

    void gradient_b() {
        if (cluster_rows > 0) cluster_tiles(PLORA_GRADIENT_S);
        each_b([&](int a, const Slice &slice) {
            int n = round_ranks(slice.ranks);
            gradient_b_ranks = std::max(gradient_b_ranks, n);
            gradient_b_shared = std::max(gradient_b_shared, gradient_b_bytes(rows_held(a, slice), n));
        });
        int64_t share = gradient_b_share(device.multiprocessors * (gradient_b_ranks > 32 ? 2 : 3));
        each_b([&](int a, const Slice &slice) { split_gradient_b(a, slice, share); });
    }

    // What a span costs when all segments are cut into as many spans as blocks that the device holds at once; not into more, since
    // those left over would run alone. Where segments themselves are more, spans cost as if they were not.
    int64_t gradient_b_share(int blocks) const {
        std::vector<Outputs> all;
        int64_t cost = 0;
        each_b([&](int a, const Slice &slice) {
            all.push_back(outputs_of(a, slice));
            cost += all.back().cost * all.back().steps;
        });
        auto spans = [&](int64_t share) {
            return std::accumulate(all.begin(), all.end(), 0, [&](int sum, const Outputs &o) { return sum + o.spans(share); });
        };
        int64_t share = std::max<int64_t>(1, cost / blocks);
        while ((int)all.size() <= blocks && spans(share) > blocks) share += share / 64 + 1;
        return share;
    }

    // The outputs of a slice: steps, and the cost of each.
    struct Outputs {
        int steps;
        int64_t cost;

        // Spans that cost about a share each.
        int spans(int64_t share) const {
            int64_t wanted = std::min<int64_t>(steps, std::max<int64_t>(1, (cost * steps + share - 1) / share));
            return divide_up(steps, divide_up(steps, (int)wanted));
        }
    };

    Outputs outputs_of(int a, const Slice &slice) const { return {gradient_b_steps(slice), gradient_b_cost(a, slice)}; }

    // All of a segment's outputs.
    plora_tile span_of(int a, const Slice &slice) const {
        plora_tile t = tile_of(a, 0, rows(a), slice);
        t.column = t.part_column = shape.part_from[slice.part];
        t.columns = shape.part_to[slice.part] - t.part_column;
        t.split_stride = (int64_t)t.rows * t.ranks;
        t.splits = rows_held(a, slice);
        return t;
    }

    // Cuts a segment's outputs into spans.
    void split_gradient_b(int a, const Slice &slice, int64_t share) {
        plora_tile t = span_of(a, slice);
        int count = outputs_of(a, slice).spans(share);
        if (count > 1 && t.rows > 0 && cluster_rows == 0) {
            t.partial = partial_elements;
            partial_elements += t.split_stride * count;
            reduce(PLORA_GRADIENT_REDUCE, t, count);
        }
        span_tiles(PLORA_GRADIENT_B, t, count);
    }

    // `spans` blocks take turns at the outputs.
    void span_tiles(int list, const plora_tile &whole, int spans) {
        for (int span = 0; span < spans; span++) {
            plora_tile t = whole;
            t.column += span * GRADIENT_B_COLUMNS;
            t.columns -= span * GRADIENT_B_COLUMNS;
            t.turns = spans;
            if (whole.partial >= 0) t.partial += span * whole.split_stride;
            lists[list].push_back(t);
        }
    }

    // dB alone, beside the product of plora_lora_linear_backward.
    void gradient_b_beside() {
        int64_t others = 0;
        each_b([&](int, const Slice &) { others++; });
        each_b([&](int a, const Slice &slice) {
            int steps = gradient_b_steps(slice);
            span_tiles(PLORA_LINEAR_GRADIENT_B, span_of(a, slice), divide_up(steps, piece(steps, others, 4, 1)));
        });
    }

    int all_rows() const { return shape.adapter_starts[shape.adapters]; }

    // First row of adapter a in rows first .. end - 1, counted within the adapter, and the row after the last.
    int first_within(int a, int first) const { return std::max(0, first - shape.adapter_starts[a]); }
    int end_within(int a, int end) const { return std::min(end, shape.adapter_starts[a + 1]) - shape.adapter_starts[a]; }

    // Blocks of 64 rows that belong to one adapter become slices, runs of them within a block of 128 rows together.
    void linear() {
        std::vector<int> owners;  // of blocks of 64 rows, or -1
        int a = 0;
        for (int row = 0; row < all_rows(); row += ROWS) {
            while (shape.adapter_starts[a + 1] <= row) a++;
            bool alone = shape.adapter_starts[a + 1] >= std::min(row + ROWS, all_rows());
            owners.push_back(alone ? a : -1);
            if (!alone) mixed(a, row, std::min(row + ROWS, all_rows()));
            mixed_rows += alone ? 0 : ROWS;
        }
        owners.push_back(-1);
        for (int row = 0; row < all_rows(); row += LINEAR_ROWS) {
            for (int p = 0; p < shape.parts; p++) linear_block(row, p, owners[row / ROWS], owners[row / ROWS + 1]);
            for (int column = 0; column < shape.outputs; column += LINEAR_COLUMNS) {
                linear_steps = std::max(linear_steps, steps_of_last_block(column, column + LINEAR_COLUMNS));
            }
            linear_backward_steps = std::max(linear_backward_steps, steps_of_last_block(0, shape.outputs));
        }
    }

    // Pairs of tiles of plora_lora_linear, which clusters of two blocks take by turns.
    int linear_pairs(int columns) const { return divide_up(all_rows(), 2 * LINEAR_ROWS) * divide_up(columns, LINEAR_COLUMNS); }

    int clusters_held() const { return std::max(1, device.multiprocessors / 2); }
    int most_clusters(int columns) const { return std::min(linear_pairs(columns), clusters_held()); }
    int turns(int columns) const { return divide_up(linear_pairs(columns), clusters_held()); }
    int clusters_in(int columns, int turns) const { return divide_up(linear_pairs(columns), std::max(1, turns)); }
    int idle(int clusters) const { return device.multiprocessors - 2 * clusters; }

    // Whether the frozen product in the same kernel is faster: where its pairs of tiles keep half of the device busy, few rows get
    // their low-rank terms afterwards, and there are more of them than one cluster takes. (Measured on an H100.)
    bool linear_pays(int columns) const {
        return device.compute_capability == 90 && linear_pairs(columns) * 4 >= device.multiprocessors
            && mixed_rows * 4 <= all_rows() && all_rows() >= LINEAR_FEWEST_ROWS;
    }

    // Steps over the low-rank columns that a tile of the last block needs for output columns from .. to - 1.
    int steps_of_last_block(int from, int to) const {
        int slices = 0;
        for (int p = 0; p < shape.parts; p++) {
            const plora_tile &block = *(lists[PLORA_LINEAR_BLOCKS].end() - shape.parts + p);
            if (from < block.column + block.columns && to > block.column) slices += block.ranks;
        }
        return divide_up(slices, STEP_SLICES);
    }

    void linear_block(int row, int p, int upper, int lower) {
        plora_tile block = {};
        block.adapter = -1;
        block.part = p;
        block.row = row;
        block.rows = std::min(LINEAR_ROWS, all_rows() - row);
        block.column = shape.part_from[p];
        block.columns = shape.part_to[p] - shape.part_from[p];
        block.partial = -1;
        block.rank = (int)lists[PLORA_LINEAR_SLICES].size();
        // slices of both halves by turns, so that both warpgroups have work in each step
        for (int r = 0; r < MAX_RANK; r += SLICE_RANKS) {
            if (upper == lower) {
                linear_slice(upper, p, r, row, LINEAR_ROWS);
            } else {
                linear_slice(upper, p, r, row, ROWS);
                linear_slice(lower, p, r, row + ROWS, ROWS);
            }
        }
        block.ranks = (int)lists[PLORA_LINEAR_SLICES].size() - block.rank;
        lists[PLORA_LINEAR_BLOCKS].push_back(block);
    }

    void linear_slice(int a, int p, int r, int row, int height) {
        if (a < 0 || r >= rank(a, p)) return;
        plora_tile t = tile(a, row - shape.adapter_starts[a], std::min(height, all_rows() - row));
        t.part = p;
        t.rank = part_offset(a, p) + r;
        t.part_rank = r;
        t.ranks = std::min(SLICE_RANKS, pad_rank(rank(a, p)) - r);
        t.column = t.part_column = shape.part_from[p];
        t.columns = shape.part_to[p] - shape.part_from[p];
        lists[PLORA_LINEAR_SLICES].push_back(t);
    }

    // Rows row .. end - 1, of adapter a and more after it.
    void mixed(int a, int row, int end) {
        for (; a < shape.adapters && shape.adapter_starts[a] < end; a++) {
            int first = first_within(a, row), last = end_within(a, end);
            for (int p = 0; p < shape.parts; p++) {
                Slice part = {p, part_offset(a, p), 0, pad_rank(rank(a, p))};
                some_row_tiles(PLORA_MIXED_EXPAND, a, first, last, part, shape.part_from[p], shape.part_to[p], MIXED_COLUMNS);
            }
            some_row_tiles(PLORA_MIXED_GRADIENT_X, a, first, last, {-1, 0, 0, stride(a)}, 0, shape.inputs, MIXED_COLUMNS);
        }
    }

    void sort() {
        auto work = [](const plora_tile &t) { return (int64_t)(t.rows + t.ranks) * t.columns / t.turns; };
        for (int list : {PLORA_SHRINK, PLORA_LINEAR_SHRINK, PLORA_GRADIENT_B, PLORA_GRADIENT_A, PLORA_LINEAR_GRADIENT_B,
                         PLORA_LINEAR_GRADIENT_A}) {
            std::stable_sort(lists[list].begin(), lists[list].end(), [&](const plora_tile &l, const plora_tile &r) {
                return work(l) > work(r);
            });
        }
    }

    // Forward and backward share the workspace: partial sums, and S's gradient in backward.
    void run() {
        shrink();
        int64_t forward = partial_elements;
        partial_elements = 0;
        expand();
        gradient_b();
        gradient_x();
        gradient_a();
        if (cluster_rows == 0) linear();
        partial_elements = std::max(partial_elements, forward);
        sort();
    }
};

int check(const plora_lora_shape &s) {
    PLORA_REQUIRE(s.adapters >= 0 && s.parts >= 1 && s.parts <= MAX_PARTS,
                  "adapters (%d) must be at least 0 and parts (%d) in 1..%d.", s.adapters, s.parts, MAX_PARTS);
    PLORA_REQUIRE(s.inputs > 0 && s.outputs > 0 && s.inputs % 8 == 0 && s.outputs % 8 == 0,
                  "inputs (%d) and outputs (%d) must be positive multiples of 8.", s.inputs, s.outputs);
    PLORA_REQUIRE(s.adapter_starts[0] == 0, "adapter_starts[0] (%d) must be 0.", s.adapter_starts[0]);
    for (int a = 0; a < s.adapters; a++) {
        PLORA_REQUIRE(s.adapter_starts[a + 1] >= s.adapter_starts[a], "adapter_starts[%d] (%d) is below the one before.",
                      a + 1, s.adapter_starts[a + 1]);
    }
    for (int p = 0; p < s.parts; p++) {
        bool valid = s.part_from[p] >= (p == 0 ? 0 : s.part_to[p - 1]) && s.part_to[p] > s.part_from[p]
            && s.part_to[p] <= s.outputs && s.part_from[p] % 8 == 0 && s.part_to[p] % 8 == 0;
        PLORA_REQUIRE(valid, "Part %d (%d..%d) must follow the one before within the outputs (%d), in multiples of 8.", p,
                      s.part_from[p], s.part_to[p], s.outputs);
    }
    for (int i = 0; i < s.adapters * s.parts; i++) {
        PLORA_REQUIRE(s.ranks[i] >= 0 && s.ranks[i] <= MAX_RANK, "Rank (%d) of adapter %d must be in 0..%d.", s.ranks[i],
                      i / s.parts, MAX_RANK);
    }
    return PLORA_OK;
}

}  // namespace

int plora_lora_make_plan(
    const plora_lora_shape *shape, const plora_device *device, plora_lora_plan *plan, plora_tile *tiles, int32_t capacity) {
    PLORA_TRY(check(*shape));
    Planner planner(*shape, *device);
    planner.run();
    *plan = {};
    for (int list = 0; list < PLORA_LISTS; list++) {
        plan->first[list] = plan->tiles;
        plan->count[list] = (int32_t)planner.lists[list].size();
        plan->tiles += plan->count[list];
    }
    plan->compute_capability = device->compute_capability;
    plan->rows = shape->adapter_starts[shape->adapters];
    plan->parts = shape->parts;
    plan->inputs = shape->inputs;
    plan->outputs = shape->outputs;
    plan->largest_rank = planner.largest_rank;
    plan->shrink_ranks = planner.shrink_ranks;
    plan->gradient_a_ranks = planner.gradient_a_ranks;
    plan->gradient_b_ranks = planner.gradient_b_ranks;
    plan->gradient_b_shared = planner.gradient_b_shared;
    plan->cluster_rows = planner.cluster_rows;
    plan->drops = std::any_of(shape->drops, shape->drops + shape->adapters * shape->parts, [](int32_t d) { return d != 0; });
    plan->linear = planner.linear_pays(shape->outputs);
    plan->linear_backward = planner.linear_pays(shape->inputs) && !plan->drops;
    plan->linear_steps = planner.linear_steps;
    plan->linear_backward_steps = planner.linear_backward_steps;
    plan->linear_clusters = planner.linear_clusters;
    plan->linear_backward_clusters = planner.linear_backward_clusters;
    plan->low_rank_elements = planner.low_rank_elements;
    int64_t gradient_bytes = (planner.low_rank_elements * 2 + 255) / 256 * 256;
    plan->workspace_bytes = gradient_bytes + planner.partial_elements * 4;
    if (tiles == nullptr) return PLORA_OK;
    PLORA_REQUIRE(capacity >= plan->tiles, "capacity (%d) must be at least the plan's tiles (%d).", capacity, plan->tiles);
    for (int list = 0; list < PLORA_LISTS; list++) {
        std::copy(planner.lists[list].begin(), planner.lists[list].end(), tiles + plan->first[list]);
    }
    return PLORA_OK;
}
