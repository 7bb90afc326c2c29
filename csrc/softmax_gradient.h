/* The gradient of a softmax tile: its output rows, and its values for class indices. */
#pragma once
#include "softmax_sums.h"

INLINE int written_in_place(const Tile *tile) { return tile->len == tile->P && is_plain(&tile->call->gradient); }

/* The output row of a class if its gradient can be written in place, else a buffer to copy from: its exponentials if
 * all classes are transposed at the end. */
static float *gradient_row(const Tile *tile, int64_t c) {
    const View *v = &tile->call->gradient;
    if (written_in_place(tile)) return (float *)v->data + offset_of(v, tile->n, c, tile->s);
    return tile->transpose_gradient ? tile->e + c * tile->P : own_row(tile, c);
}

/* Positions that do not count have no gradient, even of a NaN loss. */
static void leave_out(const Tile *tile, float *row) {
    if (tile->complete) return;
    for (int64_t i = 0; i < tile->len; i++) row[i] = tile->counts[i] ? row[i] : 0.0f;
}

static void gradient_done(const Tile *tile, int64_t c, float *row) {
    if (tile->nonfinite_coefficients) leave_out(tile, row);
    if (written_in_place(tile) || tile->transpose_gradient) return;
    store_row(&tile->call->gradient, tile->n, c, tile->s, row, tile->len);
}

INLINE int streams(const Tile *tile, const float *row) {
    return tile->call->stream && written_in_place(tile) && (uintptr_t)row % (W * 4) == 0;
}

/* The gradient rows of a class, or of four at once. */
INLINE void gradients(const Tile *tile, int64_t c, int64_t classes, int region, int certain, int streaming) {
    const float *e = tile->e + c * tile->P;
    float *out[4], factor[4];
    for (int64_t k = 0; k < classes; k++) {
        out[k] = gradient_row(tile, c + k);
        factor[k] = tile->factors[PRED * tile->call->C + c + k];
    }
    for (int64_t i = 0; i < tile->P; i += W) {
        vf scale = load(tile->total + i), by_pred = {0}, added = load(tile->added + i), exact = {0}, m = {0};
        vi truth = load_int(tile->index + i);
        if (region) by_pred = load(tile->top + i);
        if (certain) exact = load(tile->base + i), m = load(tile->m + i);
        for (int64_t k = 0; k < classes; k++) {
            vf v = load(e + k * tile->P + i), g = scale;
            if (region) g = fma_(by_pred, all(factor[k]), scale);
            g = add_where(eq_int(truth, all_int((int32_t)(c + k))), v * g, added);
            if (certain) g = pick(both(eq(v, m), eq(exact, exact)), exact, g);
            if (streaming)
                stream(out[k] + i, g);
            else
                store(out[k] + i, g);
        }
    }
    for (int64_t k = 0; k < classes; k++) gradient_done(tile, c + k, out[k]);
}

static void write_gradients(const Tile *tile, int64_t c, int64_t classes, int region, int certain) {
    int streaming = 1;
    for (int64_t k = 0; k < classes; k++) streaming &= streams(tile, gradient_row(tile, c + k));
#define COPY(N, R, S) if (classes == N && region == R && streaming == S && !certain) { gradients(tile, c, N, R, 0, S); return; }
    COPY(4, 0, 0) COPY(4, 0, 1) COPY(4, 1, 0) COPY(4, 1, 1) COPY(1, 0, 0) COPY(1, 0, 1) COPY(1, 1, 0) COPY(1, 1, 1)
#undef COPY
    if (classes == 4)
        gradients(tile, c, 4, region, 1, streaming);
    else
        gradients(tile, c, 1, region, 1, streaming);
}

/* The gradient, for class indices: dL/dx_c = p_c (r_c - sum of r), with r the slope by each log-probability. */
static void gradient_indices(Tile *tile) {
    const Call *call = tile->call;
    int64_t P = tile->P, C = call->C;
    const float *by_pred = tile->factors + PRED * C;
    int region = call->region[PRED] >= 0;
    float *rest = tile->total, *largest = tile->top;
    float *other_rest = tile->labels, *other_largest = tile->row_sum;
    start_sum(tile, rest, other_rest);
    start_sum(tile, largest, other_largest);
    if (region && !tile->certain)
        for (int64_t c = 0; c < C; c++) {
            float factor = by_pred[c];
            for (int64_t i = 0; i < P; i += W) store(rest + i, fma_(load(tile->e + c * P + i), all(factor), load(rest + i)));
            add_block(tile, c + 1, rest, other_rest);
        }
    else if (region)
        for (int64_t c = 0; c < C; c++) {
            float factor = by_pred[c];
            for (int64_t i = 0; i < P; i += W) {
                vf e = load(tile->e + c * P + i), r = e * factor;
                vm below = lt(e, load(tile->m + i));
                store(rest + i, add_where(below, load(rest + i), r));
                store(largest + i, add_where(not(below), load(largest + i), r));
            }
            add_block(tile, c + 1, rest, other_rest);
            add_block(tile, c + 1, largest, other_largest);
        }
    end_sum(tile, rest, other_rest);
    end_sum(tile, largest, other_largest);
    /* per position: term added for the true class, factor of e, and exact gradient of a nearly certain class */
    for (int64_t i = 0; i < P; i += W) {
        vf w = load(tile->w + i), inverse = load(tile->inverse + i), m = load(tile->m + i);
        vf others = load(tile->others + i), a = load(tile->added + i);
        vf r_rest = load(rest + i) * inverse, r_top = load(largest + i) * inverse;
        if (tile->certain) {
            vm on_top = le(load(tile->truth_top + i), (vf){0});
            vf below = pick(on_top, r_rest, r_rest + a), top = pick(on_top, r_top + a, r_top);
            vf exact = w * (others * inverse * top - m * inverse * below);
            store(tile->base + i, pick(lt(others, m * CERTAIN), exact, all(NAN)));
        }
        store(rest + i, (all(0.0f) - w * inverse) * (r_rest + r_top + a));
        store(tile->added + i, a * w);
        store(largest + i, w * inverse);
    }
    int64_t c = 0;
    for (; c + 4 <= C; c += 4) write_gradients(tile, c, 4, region, tile->certain);
    for (; c < C; c++) write_gradients(tile, c, 1, region, tile->certain);
    if (tile->transpose_gradient) transpose_out(tile, &call->gradient, tile->e, tile->r);
}
