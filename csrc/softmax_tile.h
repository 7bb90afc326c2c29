/* A softmax tile: P positions by all classes, so that memory is read once. */
#pragma once
#include "rows.h"
#include "term_rows.h"

typedef struct {
    const Call *call;
    Piece *piece;
    int64_t n, s, len, P;      /* the tile: len positions starting at s, in rows of P floats */
    int complete;              /* all P positions exist and count */
    int unit_weights;          /* w and counts are all ones */
    int raw;                   /* logits are read in place: elements that do not count are assumed harmless */
    int region;                /* the column tp or pred is requested */
    int logs;                  /* logarithms are needed (not by the slopes of some terms) */
    int targets;               /* sums of weights per class are requested or needed */
    int certain;               /* some position has a nearly certain class */
    int nonfinite_coefficients;
    const double *coefficients;
    float *x;                  /* (C, P) logits, if the input cannot be read row by row */
    float *e;                  /* (C, P) exponentials */
    float *r;                  /* (C, P) slopes by each log-probability, or a copy of W positions by all classes */
    float *rows;               /* (4, P) buffers of classes between a tensor and the tile */
    float *base, *m, *sum, *others, *inverse, *w; /* (P,) */
    float *truth_p, *truth_q, *truth_log, *added, *total, *top, *labels, *row_sum, *truth_top;
    int32_t *index;            /* (P,) true class, -1 for none */
    uint8_t *counts;           /* (P,) */
    float *term_values;        /* (terms, P) */
    float *term_slopes;        /* (terms, P), for programs; then log p of a row, and scratch memory */
    float *log_row, *scratch;
    float *factors;            /* (7 + 2 terms, C) coefficients of region columns, then of each term: truth, every */
    double *histogram;         /* (C, groups_of(terms), 4) sums by true class */
    int transpose_input, transpose_gradient; /* whether its classes are adjacent; see side_by_side() */
    void *memory;
} Tile;

/* Groups of four in the histogram: three sums of regions and a term, then four terms each. */
INLINE int64_t groups_of(int64_t terms) { return 1 + (terms + 2) / 4; }

/* Whether classes are adjacent in memory, and numerous enough to transpose in squares. */
INLINE int side_by_side(const Call *call, const View *v) { return v->data && v->s != 1 && call->S > 1 && call->C >= W; }

/* Allocates a tile with r_size floats in r; `memory` is null if memory is short. */
static Tile open_tile(const Call *call, Tiling tiling, Piece *piece, int64_t r_size) {
    const int64_t P = padded_to_vectors(tiling.tile), C = call->C, row = P * 4, groups = groups_of(call->terms);
    const int transpose_input = side_by_side(call, &call->input);
    const int64_t factors = (REGION_COLUMNS + 2 * call->terms) * C + 32; /* lookup() reads up to 32 floats */
    const int64_t programs = has_programs(call) ? call->terms : 0;
    Tile tile = {.call = call, .piece = piece, .P = P, .transpose_input = transpose_input,
                 .transpose_gradient = side_by_side(call, &call->gradient)};
    tile.memory = ALLOCATE_ARRAYS(
        {&tile.e, C * row}, {&tile.histogram, C * groups * 32}, {&tile.x, transpose_input ? C * row : 0},
        {&tile.r, r_size * 4}, {&tile.rows, 4 * row}, {&tile.factors, factors * 4},
        {&tile.term_values, call->terms * row}, {&tile.term_slopes, programs * row},
        {&tile.log_row, programs * row}, {&tile.scratch, most_scratch(call)}, {&tile.base, row}, {&tile.m, row}, {&tile.sum, row},
        {&tile.others, row}, {&tile.inverse, row}, {&tile.w, row}, {&tile.truth_p, row}, {&tile.truth_q, row},
        {&tile.truth_log, row}, {&tile.added, row}, {&tile.total, row}, {&tile.top, row}, {&tile.labels, row},
        {&tile.row_sum, row}, {&tile.truth_top, row}, {&tile.index, row}, {&tile.counts, P});
    if (!tile.memory) {
        piece->short_of_memory = 1;
        return tile;
    }
    memset(tile.histogram, 0, (size_t)(C * groups) * 32);
    memset(tile.index, 0xff, (size_t)row);
    return tile;
}

/* A sum over classes is float32 within a block of them; the rounding error of adding a block to the other blocks starts
 * the next one. */
#define CLASSES_OF_BLOCK 64

INLINE void start_sum(const Tile *tile, float *block, float *others) {
    memset(block, 0, (size_t)tile->P * 4);
    memset(others, 0, (size_t)tile->P * 4);
}

/* To be called after each class, or group of classes, with the number of classes that have been added. */
INLINE void add_block(const Tile *tile, int64_t classes, float *block, float *others) {
    if (classes % CLASSES_OF_BLOCK || classes == tile->call->C) return;
    for (int64_t i = 0; i < tile->P; i += W) {
        vf a = load(block + i), b = load(others + i), sum = a + b, lost = a - (sum - b);
        store(others + i, sum);
        store(block + i, pick(lt(absolute(lost), all(INFINITY)), lost, (vf){0}));
    }
}

INLINE void end_sum(const Tile *tile, float *block, const float *others) {
    if (tile->call->C <= CLASSES_OF_BLOCK) return;
    for (int64_t i = 0; i < tile->P; i += W) store(block + i, load(block + i) + load(others + i));
}

INLINE void move_to(Tile *tile, Span span) { tile->n = span.n, tile->s = span.s, tile->len = span.len; }


INLINE float logit_bias_of(const Call *call, int64_t c) { return call->logit_bias ? call->logit_bias[c] : 0.0f; }

/* A buffer for a class; the fourth class after it uses the same one. */
INLINE float *own_row(const Tile *tile, int64_t c) { return tile->rows + (c & 3) * tile->P; }

/* The logits of a class: the memory of the tensor if it is contiguous float32, else a copy. */
static const float *logits(const Tile *tile, int64_t c) {
    const Call *call = tile->call;
    if (tile->transpose_input) return tile->x + c * tile->P;
    if (tile->raw && is_plain(&call->input))
        return (const float *)call->input.data + offset_of(&call->input, tile->n, c, tile->s);
    float *row = own_row(tile, c);
    load_row(row, &call->input, tile->n, c, tile->s, tile->len);
    for (int64_t i = tile->len; i < tile->P; i++) row[i] = 0.0f;
    if (!tile->complete)
        for (int64_t i = 0; i < tile->len; i++) row[i] = tile->counts[i] ? row[i] : 0.0f;
    return row;
}

/* The classes of a position as a row. */
INLINE View by_position(const View *v) { return (View){v->data, v->type, v->n, v->s, v->c}; }

/* For adjacent classes: reads W positions at a time and stores them class by class. */
static void transpose_in(Tile *tile) {
    const Call *call = tile->call;
    const int64_t P = tile->P, C = call->C;
    const View classes = by_position(&call->input);
    for (int64_t i = 0; i < P; i += W) {
        const float *from[W];
        for (int64_t k = 0; k < W; k++) {
            float *copy = tile->r + k * C;
            from[k] = copy;
            if (i + k >= tile->len || !tile->counts[i + k])
                memset(copy, 0, (size_t)C * 4);
            else if (is_plain(&classes))
                from[k] = (const float *)classes.data + offset_of(&classes, tile->n, tile->s + i + k, 0);
            else
                load_row(copy, &classes, tile->n, tile->s + i + k, 0, C);
        }
        for (int64_t c = 0; c < C; c += W) {
            vf square[W];
            if (c > C - W) c = C - W; /* the last block overlaps the previous one */
            for (int k = 0; k < W; k++) square[k] = load(from[k] + c);
            transpose_square(square);
            for (int k = 0; k < W; k++) store(tile->x + (c + k) * P + i, square[k]);
        }
    }
}

/* Writes rows of classes to a tensor with adjacent classes; copies has room for W positions. */
static void transpose_out(const Tile *tile, const View *v, const float *rows, float *copies) {
    const int64_t P = tile->P, C = tile->call->C;
    const View classes = by_position(v);
    for (int64_t i = 0; i < tile->len; i += W) {
        const int64_t count = tile->len - i < W ? tile->len - i : W;
        float *to[W];
        for (int64_t k = 0; k < W; k++) {
            int direct = k < count && is_plain(&classes);
            to[k] = direct ? (float *)classes.data + offset_of(&classes, tile->n, tile->s + i + k, 0) : copies + k * C;
        }
        for (int64_t c = 0; c < C; c += W) {
            vf square[W];
            if (c > C - W) c = C - W;
            for (int k = 0; k < W; k++) square[k] = load(rows + (c + k) * P + i);
            transpose_square(square);
            for (int k = 0; k < W; k++) store(to[k] + c, square[k]);
        }
        for (int64_t k = 0; k < count && !is_plain(&classes); k++)
            store_row(&classes, tile->n, tile->s + i + k, 0, to[k], C);
    }
}

/* Reads weights and what counts; for class indices also the true class, and reports the first index out of range. */
static void read_positions(Tile *tile) {
    const Call *call = tile->call;
    int64_t len = tile->len, P = tile->P, incomplete = len < P;
    int ignore_is_label = call->has_ignore && call->ignore >= 0 && call->ignore < call->C, wrong = 0;
    if (!call->dense) wrong = load_indices(tile->index, &call->target, tile->n, tile->s, len, call->C);
    if (!call->dense && !wrong && !ignore_is_label && !incomplete && !call->mask.data && !call->weight.data) {
        for (int64_t i = 0; i < P && !tile->unit_weights; i++) tile->w[i] = 1.0f, tile->counts[i] = 1;
        tile->complete = tile->raw = tile->unit_weights = 1;
        return;
    }
    tile->unit_weights = 0;
    memset(tile->counts, 0, (size_t)P);
    if (call->mask.data)
        load_mask(tile->counts, &call->mask, tile->n, 0, tile->s, len);
    else
        memset(tile->counts, 1, (size_t)len);
    if (call->mask.data)
        for (int64_t i = 0; i < len; i++) incomplete |= !tile->counts[i];
    for (int64_t i = len; i < P; i++) tile->index[i] = -1;
    if (ignore_is_label && !call->dense)
        for (int64_t i = 0; i < len; i++) {
            int ignored = tile->index[i] == (int32_t)call->ignore;
            tile->counts[i] &= !ignored, incomplete |= ignored;
        }
    if (wrong)
        for (int64_t i = 0; i < len; i++) {
            if (tile->index[i] >= 0 || !tile->counts[i]) continue;
            int64_t at = offset_of(&call->target, tile->n, 0, tile->s + i);
            if (!call->has_ignore || integer_at(&call->target, at) != call->ignore)
                report_problem(tile->piece, BAD_INDEX, number_at(&call->target, at));
            tile->counts[i] = 0, incomplete = 1;
        }
    if (call->dense && call->has_ignore)
        for (int64_t c = 0; c < call->C; c++)
            for (int64_t i = 0; i < len; i++)
                if (number_at(&call->target, offset_of(&call->target, tile->n, c, tile->s + i)) == (double)call->ignore)
                    tile->counts[i] = 0, incomplete = 1;
    if (call->weight.data)
        load_row(tile->w, &call->weight, tile->n, 0, tile->s, len);
    else
        for (int64_t i = 0; i < len; i++) tile->w[i] = 1.0f;
    for (int64_t i = len; i < P; i++) tile->w[i] = 0.0f;
    if (incomplete)
        for (int64_t i = 0; i < len; i++) {
            tile->w[i] = tile->counts[i] ? tile->w[i] : 0.0f;
            tile->index[i] = tile->counts[i] ? tile->index[i] : -1;
        }
    if (call->weight.data) check_weights(tile->piece, tile->w, len);
    tile->complete = !incomplete, tile->raw = len == P;
}
