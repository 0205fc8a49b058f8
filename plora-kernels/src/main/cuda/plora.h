/*
 * plora: the operations of a packed LoRA training step on CUDA.
 *
 * Conventions. Matrices are dense and row-major; rows are tokens. "bf16 (T, H)" names element type and shape. All pointers
 * are device pointers unless said otherwise; every function enqueues on the stream given (a cudaStream_t) and returns at
 * once. Nothing is allocated but what plora_blas_create makes; workspaces belong to the caller and must not be shared by
 * calls that may overlap. Every pointer is aligned to 16 bytes.
 *
 * Functions return PLORA_OK or a code, with a message for the calling thread in plora_message(). The same calls on the same
 * hardware give the same bits: no result depends on the order in which blocks run.
 */
#ifndef PLORA_H
#define PLORA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

enum {
    PLORA_OK = 0,
    PLORA_INVALID = 1, /* an argument is out of range */
    PLORA_CUDA = 2,    /* a CUDA call failed */
    PLORA_BLAS = 3     /* cuBLAS is missing or a call failed */
};

/* What went wrong in the last failed call of this thread. */
const char *plora_message(void);

/* ---- devices ---- */

typedef struct {
    int32_t compute_capability; /* 90 for an H100 */
    int32_t multiprocessors;
    int32_t shared_memory; /* most bytes that one block can have */
} plora_device;

/* Makes the calling thread use a device, counted from 0. */
int plora_use_device(int32_t device);

/* Describes the current device. */
int plora_device_query(plora_device *device);

int plora_zero(void *to, int64_t bytes, void *stream);

/* Between any of host and device memory; pageable host memory may be reused on return. */
int plora_copy(void *to, const void *from, int64_t bytes, void *stream);

/* Waits for all that the stream holds. */
int plora_synchronize(void *stream);

/* ---- programs: work that is recorded once and done again as one piece ---- */

/* From now on what this thread enqueues on the stream given back is recorded, and nothing of it done. */
int plora_record_begin(void **stream);

/*
 * Ends a recording; its stream goes. Also to be called where something failed meanwhile.
 *
 * program: what to launch, or null to discard what was recorded; operations: how many were recorded
 */
int plora_record_end(void *stream, void **program, int32_t *operations);

int plora_program_launch(void *program, void *stream);

/* Launches under way go on to their end. */
int plora_program_destroy(void *program);

/* ---- time ---- */

int plora_event_create(void **event);

/* The event takes place when all that the stream holds is done. */
int plora_event_record(void *event, void *stream);

/* Waits until the event has taken place; on any thread. */
int plora_event_wait(void *event);

/* Time between two events; waits for the second. */
int plora_event_elapsed(void *start, void *end, float *milliseconds);

int plora_event_destroy(void *event);

/* ---- pointwise and by row; H is a multiple of 8 ---- */

/*
 * to[i] = (2 u - 1) bound, u in [0, 1) the i-th double of java.util.SplittableRandom(seed), computed in double precision and
 * rounded once.
 */
int plora_uniform(float *to, int64_t size, int64_t seed, double bound, void *stream);

/* y[t] = table[tokens[t]]. table bf16 (V, H), tokens int32 (T), y bf16 (T, H). */
int plora_embed(const void *table, const int32_t *tokens, void *y, int32_t rows, int32_t hidden, void *stream);

/* y = weight x / sqrt(mean(x^2) + epsilon). x, y bf16 (T, H), weight bf16 (H), inverse_rms f32 (T). */
int plora_rms_norm(
    const void *x, const void *weight, float epsilon, void *y, float *inverse_rms, int32_t rows, int32_t hidden, void *stream);

/* Adds the norm's input gradient to dx, bf16 (T, H). */
int plora_rms_norm_backward(
    const void *x, const void *weight, const float *inverse_rms, const void *dy, void *dx, int32_t rows, int32_t hidden,
    void *stream);

/* y = silu(gate) up. gate_up bf16 (T, 2 F): gate, then up; y bf16 (T, F). */
int plora_swiglu(const void *gate_up, void *y, int32_t rows, int32_t features, void *stream);

int plora_swiglu_backward(
    const void *gate_up, const void *dy, void *d_gate_up, int32_t rows, int32_t features, void *stream);

/* Heads of grouped-query attention: a row of qkv is [heads | kv_heads | kv_heads] x head_size. */
typedef struct {
    int32_t heads; /* a multiple of kv_heads */
    int32_t kv_heads;
    int32_t head_size; /* 32, 64, 96 or 128 */
} plora_heads;

/*
 * Rotates queries and keys in place, pairs (i, i + head_size / 2).
 *
 * table: f32 (positions, head_size): cosines, then sines; positions: int32 (T); inverse: rotates back
 */
int plora_rotary(
    const plora_heads *heads, const float *table, const int32_t *positions, void *qkv, int32_t rows, int32_t inverse,
    void *stream);

/* ---- packed LoRA ---- */

/* One adapter's low-rank term on one part of a projection: y += scale (drop(x) a^T) b^T. Rank 0: the adapter has none. */
typedef struct {
    const void *a;     /* bf16 (rank, inputs) */
    const void *b;     /* bf16 (outputs of the part, b_stride) */
    float *gradient_a; /* f32 (rank, inputs) */
    float *gradient_b; /* f32 (outputs of the part, rank) */
    int32_t rank;      /* 0..256 */
    int32_t b_stride;  /* a multiple of 8, at least rank; what lies beyond rank is not read */
    float scale;
    uint32_t drop_threshold; /* dropped where 16 random bits are below this; 0 for no dropout */
    float keep_scale;        /* what kept elements are multiplied by */
    int32_t module;          /* keys the masks */
} plora_term;

/* Everything that the launch plan of a projection depends on; host memory. */
typedef struct {
    int32_t adapters;
    int32_t parts;   /* at most 8 */
    int32_t inputs;  /* a multiple of 8 */
    int32_t outputs; /* a multiple of 8, all parts together */
    const int32_t *adapter_starts; /* (adapters + 1): first row of each adapter, then the number of rows */
    const int32_t *part_from;      /* (parts): output columns from .. to - 1, rising, multiples of 8 */
    const int32_t *part_to;        /* (parts) */
    const int32_t *ranks;          /* (adapters, parts) */
    const int32_t *drops;          /* (adapters, parts): whether the term has dropout */
    const int32_t *overwrites;     /* (adapters): whether the backward overwrites the gradients, or null for adding to all */
} plora_lora_shape;

/* One piece of work of one block. */
typedef struct {
    int32_t adapter;
    int32_t part;            /* -1: all parts of the adapter side by side, or none */
    int32_t row, rows;       /* rows of the batch */
    int32_t rank, ranks;     /* low-rank columns of the adapter, all parts side by side, each padded to 8 */
    int32_t part_rank;       /* the same column counted within the part */
    int32_t column, columns; /* of the inputs or of the outputs; where blocks take turns, up to the end of all */
    int32_t turns;           /* blocks that take turns at the steps along the columns, so that together they read whole rows */
    int32_t part_column;     /* first output column of the part */
    int32_t stride;          /* low-rank columns of the adapter */
    int32_t splits;          /* partial sums to add up; for gradient b, rows held at once */
    int32_t overwrite;       /* whether gradients are overwritten */
    int64_t low_rank;        /* element where the adapter's row `row` starts in the low-rank buffer */
    int64_t partial;         /* element where the partial sums start, or -1 */
    int64_t split_stride;    /* elements from one partial sum to the next */
} plora_tile;

enum {
    PLORA_SHRINK,            /* S = scale drop(X) A^T, split along the inputs, or by clusters */
    PLORA_SHRINK_REDUCE,     /* adds up its partial sums */
    PLORA_EXPAND,            /* Y = S B^T */
    PLORA_GRADIENT_S,        /* dS by clusters, of few rows */
    PLORA_GRADIENT_B,        /* dB and dS, one pass over dY; dB alone where dS is made by clusters */
    PLORA_GRADIENT_REDUCE,   /* adds up the partial sums of dS */
    PLORA_GRADIENT_X,        /* dX = mask(dS A) */
    PLORA_GRADIENT_A,        /* dA = dS^T drop(X) */
    PLORA_LINEAR_BLOCKS,     /* of plora_lora_linear: 128 rows and one part: its slices (rank: the first, ranks: how many) */
    PLORA_LINEAR_SLICES,     /* 16 low-rank columns of one part, for rows in blocks of 64 that belong to one adapter */
    PLORA_LINEAR_SHRINK,     /* SHRINK, beside the product of plora_lora_linear; empty where that leaves too few multiprocessors */
    PLORA_LINEAR_GRADIENT_B, /* dB alone, beside the product of plora_lora_linear_backward; empty where GRADIENT_B makes it before */
    PLORA_LINEAR_GRADIENT_A, /* GRADIENT_A, beside the product of plora_lora_linear_backward */
    PLORA_MIXED_EXPAND,      /* EXPAND, of all other rows */
    PLORA_MIXED_GRADIENT_X,  /* GRADIENT_X, of all other rows */
    PLORA_LISTS
};

/* A launch plan: one list of tiles for each launch, in one buffer. Valid for any layer with the same shape. */
typedef struct {
    int32_t first[PLORA_LISTS]; /* first tile of each list */
    int32_t count[PLORA_LISTS];
    int32_t tiles;
    int32_t compute_capability; /* of the device */
    int32_t rows;
    int32_t parts;
    int32_t inputs;
    int32_t outputs;
    int32_t largest_rank;      /* of one term */
    int32_t shrink_ranks;      /* largest tile's ranks, rounded up to a size that kernels are built for */
    int32_t gradient_a_ranks;  /* likewise */
    int32_t gradient_b_ranks;  /* likewise */
    int32_t gradient_b_shared; /* bytes that its blocks need */
    int32_t cluster_rows;      /* of a tile of S and dS, where rows are so few that clusters make them, or 0 */
    int32_t drops;             /* whether any term has dropout */
    int32_t linear;            /* whether plora_lora_linear is the fastest way, by measurement */
    int32_t linear_backward;   /* whether plora_lora_linear_backward is */
    int32_t linear_steps;      /* most steps over low-rank columns of a tile of plora_lora_linear */
    int32_t linear_backward_steps;
    int32_t linear_clusters;   /* of two blocks, that its product is launched with */
    int32_t linear_backward_clusters;
    int64_t low_rank_elements; /* bf16 elements of the buffer for S */
    int64_t workspace_bytes;   /* for shrink, or for the backward */
} plora_lora_plan;

/*
 * Makes the launch plan on the host, without a GPU. Where tiles is null only the sizes are computed.
 *
 * tiles: host memory for `capacity` tiles, for the caller to copy to the device
 */
int plora_lora_make_plan(
    const plora_lora_shape *shape, const plora_device *device, plora_lora_plan *plan, plora_tile *tiles, int32_t capacity);

/*
 * A projection is three calls before the frozen products, in order on one stream:
 *
 *     shrink, expand, y = x w^T + y;  backward, dx = dy w + dx
 *
 * tiles: the plan's, on the device; terms: (adapters, parts), on the device; dropout_keys: int64 (T), or null for no dropout
 * x: bf16 (T, inputs); y, dy: bf16 (T, outputs); dx: bf16 (T, inputs)
 * low_rank: bf16, scale drop(x) a^T of all terms, kept from shrink for the backward pass
 */

/* low_rank = scale drop(x) a^T. Two launches, or one of few rows. */
int plora_lora_shrink(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const int64_t *dropout_keys, const void *x,
    void *low_rank, void *workspace, void *stream);

/* y = add + bias + low_rank b^T. One launch. add: bf16 (T, outputs), y itself too, or null; bias: bf16 (outputs), or null */
int plora_lora_expand(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *low_rank, void *y,
    const void *add, const void *bias, void *stream);

/* Gradients of all a and b, added to or overwritten as the plan says, and, unless dx is null, dx = mask(gradient of low_rank a).
 * Three launches, or two of few rows. */
int plora_lora_backward(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const int64_t *dropout_keys, const void *x,
    const void *low_rank, const void *dy, void *dx, void *workspace, void *stream);

/*
 * All of a projection with the frozen products in the kernels, on devices of compute capability 9.0. The plan tells where that is
 * faster than the calls above; those of few rows have no plan for it. w: bf16 (outputs, inputs)
 */

/* y = add + x w^T + bias + low_rank b^T, low_rank = scale drop(x) a^T. Three launches, and one where several adapters share blocks
 * of 64 rows. Their low-rank terms, or all where low_rank is made beside the product, are added to the rest once that is bf16. add,
 * bias: as for expand */
int plora_lora_linear(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const int64_t *dropout_keys, const void *x,
    const void *w, void *y, const void *add, const void *bias, void *low_rank, void *workspace, void *stream);

/* dx = dy w + gradient of low_rank a, and gradients of all a and b; not with dropout. Four launches, and one likewise. */
int plora_lora_linear_backward(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *x, const void *dy, const void *w,
    void *dx, const void *low_rank, void *workspace, void *stream);

/* ---- frozen products, by cuBLAS or, where that is faster, by a kernel of our own ---- */

typedef struct plora_blas plora_blas;

/*
 * Loads cuBLAS (13, 12 or 11, whichever is there) and makes a handle on the current device.
 *
 * library: path of libcublas, or null to search
 * workspace: device memory that cuBLAS may use, so that it allocates none itself
 */
int plora_blas_create(const char *library, void *workspace, int64_t workspace_bytes, plora_blas **blas);

int plora_blas_destroy(plora_blas *blas);

/* The version of cuBLAS as it gives it, such as 130002. */
int32_t plora_blas_version(const plora_blas *blas);

/* y = x w^T + beta y. x bf16 (rows, inputs), w bf16 (outputs, inputs), y bf16 (rows, outputs). Here and below w is read while
 * kernels before this one still run: none of them may write it. */
int plora_linear(
    plora_blas *blas, const void *x, const void *w, void *y, int32_t rows, int32_t inputs, int32_t outputs, float beta,
    void *stream);

/* dx = dy w + beta dx. */
int plora_linear_backward(
    plora_blas *blas, const void *dy, const void *w, void *dx, int32_t rows, int32_t inputs, int32_t outputs, float beta,
    void *stream);

/* y = x w^T as f32, (rows, outputs). */
int plora_logits(
    plora_blas *blas, const void *x, const void *w, float *y, int32_t rows, int32_t inputs, int32_t outputs, void *stream);

/* ---- output layer and cross-entropy ---- */

/* Bytes of workspace for chunks of so many rows. */
int64_t plora_cross_entropy_workspace(int32_t chunk_rows, int32_t hidden, int32_t vocabulary);

/*
 * Loss and input gradient of the output layer, over chunks of the rows that have a target; all logits are never held at once.
 * Other rows get loss 0 and gradient 0.
 *
 * x: bf16 (T, hidden); weight: bf16 (vocabulary, hidden)
 * target_rows: int32 (target_count): the rows that have a target; one that comes again right behind itself only adds a row to the
 * products; targets: int32 (T); loss_weights: f32 (T)
 * losses: f32 (T): -log p(target), not weighted; dx: bf16 (T, hidden): gradient of the weighted sum, or null
 */
int plora_cross_entropy(
    plora_blas *blas, const void *x, const void *weight, const int32_t *target_rows, int32_t target_count,
    const int32_t *targets, const float *loss_weights, int32_t rows, int32_t hidden, int32_t vocabulary, int32_t chunk_rows,
    float *losses, void *dx, void *workspace, void *stream);

/* The part of plora_cross_entropy between its products: f32 logits (count, vocabulary) of some target rows become losses and,
 * where gradients are wanted, bf16 gradients of the logits in their place, in the first half of each row. Logits of a row that
 * comes again right behind itself stay as they are. */
int plora_softmax_loss(
    float *logits, const int32_t *target_rows, int32_t count, const int32_t *targets, const float *loss_weights,
    int32_t vocabulary, int32_t gradients, float *losses, void *stream);

/* ---- attention ---- */

/* Rows first .. first + 63, as far as they exist, of a sequence of `length` rows from row `start` of the batch. */
typedef struct {
    int32_t start, length, first, reserved;
} plora_attention_tile;

/*
 * Cuts sequences into tiles on the host: first a list for queries, then one for keys, each with the longest work first. Where
 * tiles is null only counts them.
 *
 * sequence_starts: (sequences + 1); count: tiles of one list
 */
int plora_attention_plan(
    const int32_t *sequence_starts, int32_t sequences, plora_attention_tile *tiles, int32_t capacity, int32_t *count);

/*
 * Causal softmax attention within each sequence, scaled by 1 / sqrt(head_size).
 *
 * qkv: bf16 (T, (heads + 2 kv_heads) head_size); y: bf16 (T, heads head_size); log_sum: f32 (T, heads), for the backward
 */
int plora_attention(
    const plora_heads *heads, const plora_attention_tile *tiles, int32_t count, const void *qkv, void *y, float *log_sum,
    void *stream);

/* Bytes of workspace for the backward of `rows` rows in `count` tiles. */
int64_t plora_attention_workspace(const plora_heads *heads, int32_t count, int32_t rows);

/* Overwrites d_qkv. Two launches. */
int plora_attention_backward(
    const plora_heads *heads, const plora_attention_tile *tiles, int32_t count, int32_t rows, const void *qkv, const void *y,
    const float *log_sum, const void *dy, void *d_qkv, void *workspace, void *stream);

/* ---- optimizer ---- */

/* One matrix of one adapter, with its state and the bf16 copy that kernels read. */
typedef struct {
    float *parameters;
    float *gradients;
    float *first_moment;
    float *second_moment;
    void *copy; /* bf16 (rows, copy_stride) */
    int32_t rows;
    int32_t columns; /* rows x columns is a multiple of 8 */
    int32_t copy_stride;
    int32_t adapter;
    int32_t is_b; /* whether the learning rate is that of B matrices */
    int32_t reserved;
} plora_matrix;

/* Some elements of one matrix. */
typedef struct {
    int64_t first;
    int32_t matrix;
    int32_t count;
} plora_span;

/* What one step of one adapter does. */
typedef struct {
    int32_t active; /* 0: the adapter is left as it is */
    int32_t rule;   /* 0: AdamW; 1: gradient descent */
    float learning_rate_a;
    float learning_rate_b;
    float weight_decay;
    float max_norm;          /* 0 for no clipping */
    float first_correction;  /* 1 - beta1^step */
    float second_correction; /* 1 - beta2^step */
} plora_step;

/*
 * Cuts matrices into spans on the host, in order of adapters. Where spans is null only counts them.
 *
 * matrices: sorted by adapter; adapter_spans: (adapters + 1): first span of each adapter, then the number of spans
 */
int plora_optimizer_plan(
    const plora_matrix *matrices, int32_t count, int32_t adapters, plora_span *spans, int32_t capacity, int32_t *adapter_spans);

/* Makes the bf16 copies of parameters that were written otherwise than by plora_optimize. Device pointers. */
int plora_copy_parameters(const plora_matrix *matrices, const plora_span *spans, int32_t span_count, void *stream);

/*
 * The norm of all gradients of each active adapter, and what plora_optimize multiplies them by. Two launches.
 *
 * matrices, spans, adapter_spans, steps: on the device; norms: f64 (adapters), before clipping, 0 where not active
 * workspace: f64 (span_count + adapters)
 */
int plora_gradient_norms(
    const plora_matrix *matrices, const plora_span *spans, int32_t span_count, const int32_t *adapter_spans, int32_t adapters,
    const plora_step *steps, double *norms, void *workspace, void *stream);

/* One step of each active adapter, after plora_gradient_norms with the same arguments. An adapter whose norm is not finite is left
 * as it was. One launch. */
int plora_optimize(
    const plora_matrix *matrices, const plora_span *spans, int32_t span_count, const plora_step *steps, const void *workspace,
    void *stream);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
