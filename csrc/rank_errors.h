/* Rank losses: the errors to sort, and the gradient by the input.
 *
 * The key of an element is the bits of its error, which are ordered like the floats, with the label in the lowest bit;
 * ABSENT if it does not count. rank_sort.h replaces each key by the increment of the Jaccard loss that this error adds,
 * with the sign of the slope of the error.
 */
#pragma once
#include "sigmoid.h"
#include "softmax_general.h"

#define ABSENT UINT32_MAX

INLINE uint32_t *keys_of(const Call *call, int64_t n, int64_t c, int64_t s) {
    return call->keys + (n * call->C + c) * call->S + s;
}

INLINE vi keys(vf error, vm truth, vm counts) {
    error = pick(eq(error, error), error, all(NAN)); /* a single NaN, above infinity and below ABSENT */
    vi key = ((vi)error << 1) | (vi)keep(truth, (vf)all_int(1));
    return (vi)pick(counts, (vf)key, (vf)all_int(-1));
}

/* Hinge losses [1 - x (2t - 1)]+ of len elements, a multiple of W; returns whether a counted t is neither 0 nor 1. */
INLINE int hinges(const float *x, const float *t, const float *w, int64_t len, int32_t *out) {
    const vf zero = {0}, one = all(1.0f);
    vm soft = lt(one, zero);
    for (int64_t i = 0; i < len; i += W) {
        vf xi = load(x + i), ti = load(t + i);
        vm positive = eq(ti, one), counts = w ? eq(load(w + i), one) : le(zero, one);
        soft = (vm)(soft | both(counts, not((vm)(positive | eq(ti, zero)))));
        vf error = max_or_nan(zero, one + pick(positive, zero - xi, xi));
        store((float *)out + i, (vf)keys(error, positive, counts));
    }
    return any(soft);
}

static void report_soft_labels(Piece *piece, const Call *call, int64_t n, int64_t c, int64_t s, int64_t len,
                               const float *t, const uint8_t *counts) {
    for (int64_t i = 0; i < len; i++)
        if (counts[i] && t[i] > 0.0f && t[i] < 1.0f)
            report_problem(piece, BAD_SOFT, number_at(&call->target, offset_of(&call->target, n, c, s + i)));
}

static void sigmoid_rank_errors(const Call *call, Tiling tiling, Piece *piece) {
    const Rows rows = allocate_rows(tiling, piece);
    if (!rows.memory) return;
    int ignore_is_label = call->has_ignore && (call->ignore == 0 || call->ignore == 1);
    int some_ignored = call->mask.data || ignore_is_label;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        const Span span = span_of(call, tiling, unit);
        int64_t n = span.n, s = span.s, len = span.len;
        for (int64_t c = 0; c < call->C; c++) {
            int32_t *out = (int32_t *)keys_of(call, n, c, s);
            if (!some_ignored && len % W == 0) {
                const float *x = row_of(rows.x, &call->input, n, c, s, len);
                if (!hinges(x, row_of(rows.t, &call->target, n, c, s, len), 0, len, out)) continue;
            }
            load_valid_row(call, piece, span, c, &rows);
            weigh_by_counts(&rows, span.padded, 0);
            if (hinges(rows.x, rows.t, rows.w, span.padded, (int32_t *)rows.g))
                report_soft_labels(piece, call, n, c, s, len, rows.t, rows.counts);
            memcpy(out, rows.g, (size_t)len * 4);
        }
    }
    free(rows.memory);
}

static void read_tile(Tile *tile, Tiling tiling, int64_t unit) {
    move_to(tile, span_of(tile->call, tiling, unit));
    read_positions(tile);
    if (tile->transpose_input) transpose_in(tile);
    softmax_of(tile);
}

/* |t - p| of every class; for the largest class from the sum of the others, so that it does not round to 0. */
static void softmax_rank_errors(const Call *call, Tiling tiling, Piece *piece) {
    Tile tile = open_tile(call, tiling, piece, call->C * padded_to_vectors(tiling.tile));
    if (!tile.memory) return;
    int64_t P = tile.P;
    const vf zero = {0}, half = all(0.5f), one = all(1.0f);
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        read_tile(&tile, tiling, unit);
        memset(tile.row_sum, 0, (size_t)P * 4);
        for (int64_t c = 0; c < call->C; c++) {
            if (call->dense) {
                read_labels(&tile, c);
                report_soft_labels(piece, call, tile.n, c, tile.s, tile.len, tile.labels, tile.counts);
            }
            int32_t *row = (int32_t *)keys_of(call, tile.n, c, tile.s), *out = tile.len == P ? row : (int32_t *)tile.rows;
            for (int64_t i = 0; i < P; i += W) {
                vf e = load(tile.e + c * P + i), inverse = load(tile.inverse + i), p = e * inverse;
                vf q = pick(eq(e, load(tile.m + i)), load(tile.others + i) * inverse, one - p);
                vm truth = call->dense ? lt(half, load(tile.labels + i)) : eq_int(load_int(tile.index + i), all_int((int32_t)c));
                store((float *)out + i, (vf)keys(pick(truth, q, p), truth, lt(zero, load(tile.w + i))));
            }
            if (out != row) memcpy(row, out, (size_t)tile.len * 4);
        }
        if (call->dense) check_rows(&tile);
    }
    free(tile.memory);
}

/* Increments times the coefficient of the class. */
INLINE vf by_class(const float *increments, float factor) {
    vf increment = load(increments);
    return or_zero(eq(increment, (vf){0}), increment * factor);
}

static float factor_of_class(const Call *call, int64_t n, int64_t c) {
    return factor_of(call->coefficients[n * call->coefficients_n + c * call->K]);
}

static void sigmoid_rank_gradient(const Call *call, Tiling tiling, Piece *piece) {
    const Rows rows = allocate_rows(tiling, piece);
    if (!rows.memory) return;
    float *row = rows.g;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        const Span span = span_of(call, tiling, unit);
        int64_t n = span.n, s = span.s, len = span.len;
        for (int64_t c = 0; c < call->C; c++) {
            const float *increments = (const float *)keys_of(call, n, c, s);
            float factor = factor_of_class(call, n, c);
            int direct = is_plain(&call->gradient) && len % W == 0;
            float *out = direct ? (float *)call->gradient.data + offset_of(&call->gradient, n, c, s) : row;
            if (len % W) memcpy(row, increments, (size_t)len * 4), increments = row;
            for (int64_t i = 0; i < len; i += W) store(out + i, by_class(increments + i, factor));
            if (!direct) store_row(&call->gradient, n, c, s, row, len);
        }
    }
    free(rows.memory);
}

static void softmax_rank_gradient(const Call *call, Tiling tiling, Piece *piece) {
    Tile tile = open_tile(call, tiling, piece, call->C * padded_to_vectors(tiling.tile));
    if (!tile.memory) return;
    int64_t P = tile.P;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        read_tile(&tile, tiling, unit);
        memset(tile.total, 0, (size_t)P * 4);
        memset(tile.top, 0, (size_t)P * 4);
        for (int64_t c = 0; c < call->C; c++) {
            const float *increments = (const float *)keys_of(call, tile.n, c, tile.s);
            float factor = factor_of_class(call, tile.n, c);
            if (tile.len < P) {
                memset(tile.rows, 0, (size_t)P * 4);
                increments = memcpy(tile.rows, increments, (size_t)tile.len * 4);
            }
            for (int64_t i = 0; i < P; i += W) {
                vf e = load(tile.e + c * P + i), r = e * load(tile.inverse + i) * by_class(increments + i, factor);
                vm top = eq(e, load(tile.m + i));
                store(tile.r + c * P + i, r);
                store(tile.total + i, add_where(not(top), load(tile.total + i), r));
                store(tile.top + i, add_where(top, load(tile.top + i), r));
            }
        }
        gradient_elements(&tile);
    }
    free(tile.memory);
}
