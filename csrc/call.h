/* Arguments from Python, mirrored by losskit/ops/structures.py. losskit/ops/native.py compares losskit_abi(). */
#pragma once
#include "program_struct.h"
#include <stddef.h>
#include <stdint.h>

/* A tensor as (N, C, S), with stride 0 along broadcast dimensions. Null data: absent. */
typedef struct {
    void *data;
    int64_t type, n, c, s;
} View;

/* log (1 - p)^gamma (-log p) + rest (1 - p^q) / q, or the program of a formula; and the columns of its sums, or -1 */
typedef struct {
    double log, gamma, rest, q;
    int64_t truth[2], every[2];
    const Program *program; /* null: the formula of the numbers above */
} Term;

typedef struct {
    int64_t N, C, S, K;
    int64_t link, dense, has_ignore, ignore, pooled, threads, stream;
    View input, target, weight, mask, gradient;
    const float *logit_bias;    /* (C,), or null */
    const double *coefficients; /* (N or 1, C, K), the gradient of each total; null for no gradient */
    int64_t coefficients_n;     /* its stride over N, 0 if broadcast */
    double *totals;             /* (N or 1, C, K), or null */
    int64_t region[REGION_COLUMNS];
    int64_t terms;
    Term term[MOST_TERMS];
    double neutral[2];          /* substitutes for input and target of elements that do not count, in a formula */
    int64_t numbers;            /* inputs of the programs after input and target: one number for all elements each */
    double number[MOST_NUMBERS];
    int64_t problem;            /* out: the kind of the first invalid label, in the order of the elements */
    double bad_value;
    uint32_t *keys;             /* (N, C, S), for rank losses: see rank_errors.h */
    int64_t keep_increments;    /* for rank losses: whether to store per-element increments, or only sum them */
    int64_t activations;        /* SAVE_: to the memory of the gradient; USE_: from there, instead of the input */
    int64_t activations_not_saved; /* out: not possible for these sums, labels or number of classes */
} Call;

/* A coefficient as a float, clamped to remain finite, so that its product with 0 is 0. */
#define LARGEST_FACTOR 1e37f
static inline float factor_of(double coefficient) {
    if (coefficient - coefficient != 0) return (float)coefficient;
    return coefficient > LARGEST_FACTOR ? LARGEST_FACTOR : coefficient < -LARGEST_FACTOR ? -LARGEST_FACTOR : (float)coefficient;
}

/* A piece of work, from tile `first` to before `last`, and its results. */
typedef struct {
    int64_t first, last;
    int64_t problem;
    double bad_value;
    double *totals; /* (C, K), private to the piece */
    int64_t activations_not_saved, bad_weight, short_of_memory;
} Piece;

typedef struct {
    int64_t tile;       /* positions in a tile */
    int64_t per_sample; /* tiles in a sample */
} Tiling;

typedef void (*Kernel)(const Call *, Tiling, Piece *);

#define DIGIT 11 /* maximum bits of a key sorted at once */

/* Memory of a sorting thread, reused between sorts. */
typedef struct {
    uint64_t *elements[2]; /* to be sorted */
    size_t size[2];
    uint64_t counts[3][1 << DIGIT];
    int64_t short_of_memory;
} SortBuffers;

/* Memory for `count` elements; on failure null, and short_of_memory is set. */
uint64_t *losskit_sort_buffer(SortBuffers *, int which, size_t count);

typedef void (*Rank)(const Call *, int64_t, SortBuffers *);

#define MOST_WIDTH 16 /* floats of a vector, of any instruction set */

/* Generalized Wasserstein Dice of contiguous logits (N, C, S) and class indices (N, S). */
typedef struct {
    const float *input;
    const int64_t *target;
    const float *distances; /* (C, C), of each true class */
    float *gradient;        /* (N, C, S), of each position's distance; or null */
    double *sums;           /* (N, 3): distances, those at background, and foreground positions */
    int64_t N, C, S, threads;
} Wasserstein;

typedef int (*WassersteinKernel)(const Wasserstein *, int64_t, int64_t, int64_t, float *, double *);

/* The kernels of one instruction set. */
typedef struct {
    Kernel totals[3], rank_errors[2], rank_gradient[2]; /* by link */
    Rank rank;
    WassersteinKernel wasserstein;
} Kernels;
