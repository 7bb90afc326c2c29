/* What Python hands over: mirrored by the ctypes structures of losskit/ops/native.py. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { FLOAT32, FLOAT16, BFLOAT16, FLOAT64, BOOL, UINT8, INT8, INT16, INT32, INT64 };
enum { TP, PRED, TARGET, COUNT, PRED_SQ, TARGET_SQ, ABS_DIFF, REGION_COLUMNS };
enum { SIGMOID, SOFTMAX, DIFFERENCE };
enum { FINE, BAD_INDEX, BAD_LABEL, BAD_ROW, BAD_SOFT };
enum { NO_PARTS, WRITE_PARTS, READ_PARTS };
#define MOST_TERMS 8

/* A tensor as (N, C, S); a stride of 0 repeats. Null data: there is none. */
typedef struct {
    void *data;
    int64_t type, n, c, s;
} View;

/* log (1 - p)^gamma (-log p) + rest (1 - p^q) / q, and the columns it is summed in, or -1 */
typedef struct {
    double log, gamma, rest, q;
    int64_t truth[2], every[2];
} Term;

typedef struct {
    int64_t N, C, S, K;
    int64_t link, dense, has_ignore, ignore, pooled, threads, stream;
    View input, target, weight, mask, gradient;
    const float *shift;         /* (C,), or null */
    const double *coefficients; /* (N or 1, C, K): what the gradient of each total is; null for no gradient */
    int64_t coefficients_n;     /* its stride over N, 0 where it repeats */
    double *totals;             /* (N or 1, C, K), or null */
    int64_t region[REGION_COLUMNS];
    int64_t terms;
    Term term[MOST_TERMS];
    int64_t problem;            /* out: the first value that no label can have, in the order of the elements */
    double bad_value;
    uint32_t *words;            /* (N, C, S), of ranks: see ranks.h */
    int64_t priced;             /* whether the prices of ranks are wanted, or their sum alone */
    int64_t parts;              /* whether the gradient's memory is given what it is made of, or holds that */
    int64_t without_parts;      /* out: none were written, since the sums, the labels or the number of classes do not allow it */
} Call;

/* Where a piece of work starts and ends, in units of tiles, and what it found. */
typedef struct {
    int64_t first, last;
    int64_t problem;
    double bad_value;
    double *totals; /* (C, K) of its own */
    int64_t without_parts;
} Piece;

typedef struct {
    int64_t tile;       /* positions in a tile */
    int64_t per_sample; /* tiles in a sample */
} Tiling;

typedef void (*Kernel)(const Call *, Tiling, Piece *);

/* Memory of one thread that sorts, kept from one sort to the next. */
typedef struct {
    uint64_t *memory[2]; /* elements to be sorted */
    size_t room[2];
    uint64_t counts[3][1 << 11];
    int64_t short_of_memory;
} Bench;

/* Memory for so many elements, or null and a note that there is none. */
uint64_t *losskit_room(Bench *, int which, size_t count);

typedef void (*Rank)(const Call *, int64_t, Bench *);

/* One instruction set. */
typedef struct {
    Kernel totals[3], errors[2], chain[2]; /* by link */
    Rank rank;
} Kernels;
