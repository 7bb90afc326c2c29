/* Each element is a yes or no of its own: rows of x and t, one class at a time. */
#pragma once
#include "sigmoid_hard.h"

/* Rows of a tile, in memory of the thread's own. */
typedef struct {
    float *x, *t, *w, *g;
    uint8_t *counts;
} Rows;

static Rows rows_for(Tiling tiling) {
    int64_t wide = (tiling.tile + W - 1) / W * W;
    float *x = aligned_alloc(64, (size_t)(wide * 4 * 4 + ((wide + 63) & ~63)));
    return (Rows){x, x + wide, x + 2 * wide, x + 3 * wide, (uint8_t *)(x + 4 * wide)};
}

/* len floats of a row, a multiple of W: the memory itself where it can be. */
INLINE const float *row_of(float *room, const View *v, int64_t n, int64_t c, int64_t s, int64_t len) {
    if (is_plain(v)) return (const float *)v->data + offset_of(v, n, c, s);
    load_row(room, v, n, c, s, len);
    return room;
}

typedef struct {
    int missing, soft; /* whether an element does not count; whether a label is neither 0 nor 1 */
    int64_t counted;
} Found;

/* A row where what does not count is a 0 that is certainly told: it adds nothing to any sum, whatever its weight, and
 * its slope is 0. Remembers the first bad label. */
static Found sigmoid_clean(const Call *call, Piece *piece, int64_t n, int64_t c, int64_t s, int64_t len, int64_t padded,
                           const Rows *rows) {
    float *x = rows->x, *t = rows->t, *w = rows->w;
    uint8_t *counts = rows->counts;
    const float rounding = rounding_of(&call->target);
    const vf ignore = all((float)call->ignore), certainly = all(-INFINITY);
    const float *xs = x, *ts = t;
    if (len == padded)
        xs = row_of(x, &call->input, n, c, s, len), ts = row_of(t, &call->target, n, c, s, len);
    else
        load_row(x, &call->input, n, c, s, len), load_row(t, &call->target, n, c, s, len);
    if (call->weight.data) load_row(w, &call->weight, n, c, s, len);
    if (call->mask.data)
        load_mask(counts, &call->mask, n, c, s, len);
    else
        memset(counts, 1, (size_t)len);
    memset(counts + len, 0, (size_t)(padded - len));
    Found found = {0};
    vi odd = {0};
    for (int64_t i = 0; i < padded; i += W) {
        vm count = from_bytes(counts + i);
        vf ti = load(ts + i);
        if (call->has_ignore) {
            count = both(count, not(eq(ti, ignore)));
            to_bytes(counts + i, count);
        }
        ti = keep(count, ti);
        ones(ti, &odd);
        store(x + i, pick(count, load(xs + i), certainly));
        store(t + i, ti);
        if (call->weight.data) store(w + i, keep(count, load(w + i)));
        found.counted += count_of(count);
    }
    found.missing = found.counted < len;
    if (!any_bit(odd)) return found;
    for (int64_t i = 0; i < len; i++) {
        found.soft |= t[i] != 0.0f && t[i] != 1.0f;
        if (!(t[i] >= -rounding && t[i] <= 1.0f + rounding))
            complain(piece, BAD_LABEL, number_at(&call->target, offset_of(&call->target, n, c, s + i)));
        t[i] = t[i] > 1.0f ? 1.0f : t[i] > 0.0f ? t[i] : 0.0f; /* -0 too is 0 */
    }
    return found;
}

/* The same for sums that look at both sides: what does not count has no weight, and no infinite price. */
static void neutral(const Rows *rows, int64_t padded, int weighted) {
    for (int64_t i = 0; i < padded; i += W) {
        vm count = from_bytes(rows->counts + i);
        store(rows->x + i, keep(count, load(rows->x + i)));
        store(rows->w + i, keep(count, weighted ? load(rows->w + i) : all(1.0f)));
    }
}

static void sigmoid_kernel(const Call *call, Tiling tiling, Piece *piece) {
    const Rows rows = rows_for(tiling);
    const int64_t *region = call->region;
    Ask ask = {
        .sum = call->totals != 0,
        .grad = call->coefficients != 0,
        .parts = call->parts == WRITE_PARTS,
        .region = region[TP] >= 0 || region[PRED] >= 0,
        .rare = region[PRED_SQ] >= 0 || region[TARGET_SQ] >= 0 || region[ABS_DIFF] >= 0,
        .log = call->terms > 0 && is_log(call->term),
    };
    ask.terms = call->terms > ask.log;
    const Term *last = call->term + ask.log;
    ask.squared = call->terms == ask.log + 1 && last->gamma == 2 && last->rest == 0;
    int hard = !ask.rare;
    for (int64_t j = 0; j < call->terms; j++) hard &= call->term[j].every[0] < 0 && call->term[j].every[1] < 0;
    const int may_be_hard = hard;
    piece->without_parts = ask.parts && (!hard || ask.terms || call->weight.data);
    ask.parts &= !piece->without_parts;
    int inside = call->has_ignore && (call->ignore == 0 || call->ignore == 1);
    int careful = call->mask.data || inside;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        int64_t n = unit / tiling.per_sample, s = unit % tiling.per_sample * tiling.tile;
        int64_t len = call->S - s < tiling.tile ? call->S - s : tiling.tile, padded = (len + W - 1) / W * W;
        for (int64_t c = 0; c < call->C; c++) {
            const double *coefficients = call->coefficients ? call->coefficients + n * call->coefficients_n + c * call->K : 0;
            double *sums = piece->totals ? piece->totals + c * call->K : 0;
            float shift = call->shift ? call->shift[c] : 0.0f;
            int sound = 1; /* coefficients are finite */
            for (int64_t k = 0; coefficients && k < call->K; k++) sound &= isfinite(coefficients[k]) != 0;
            int direct = is_plain(&call->gradient) && len == padded;
            float *out = (ask.grad || call->parts) && direct ? (float *)call->gradient.data + offset_of(&call->gradient, n, c, s) : rows.g;
            if (call->parts == READ_PARTS) {
                if (!direct) load_row(out, &call->gradient, n, c, s, len);
                join_parts(call, padded, coefficients, out);
                if (!direct) store_row(&call->gradient, n, c, s, out, len);
                continue;
            }
            int done = 0;
            if (!careful && len == padded && (hard || !call->has_ignore)) {
                const float *x = row_of(rows.x, &call->input, n, c, s, len), *w = rows.w;
                const float *t = row_of(rows.t, &call->target, n, c, s, len);
                if (call->shift) {
                    for (int64_t i = 0; i < len; i++) rows.x[i] = x[i] + shift;
                    x = rows.x;
                }
                ask.weighted = call->weight.data != 0;
                if (ask.weighted) w = row_of(rows.w, &call->weight, n, c, s, len);
                done = hard && !hard_blocks(call, x, t, w, len, sums, coefficients, out, ask);
                if (!done && !call->has_ignore && !ask.parts) {
                    hard = 0;
                    done = !soft_block(call, x, t, w, len, sums, coefficients, out, ask);
                }
            }
            if (!done) {
                Found found = sigmoid_clean(call, piece, n, c, s, len, padded, &rows);
                careful |= found.missing; /* where one is ignored, others will be */
                hard = may_be_hard && !found.soft;
                if (call->shift)
                    for (int64_t i = 0; i < len; i++) rows.x[i] += shift;
                if (found.soft && ask.parts) piece->without_parts = 1, ask.parts = 0;
                if (!hard) neutral(&rows, padded, call->weight.data != 0);
                ask.weighted = !hard || call->weight.data;
                (hard ? hard_blocks : soft_block)(call, rows.x, rows.t, rows.w, padded, sums, coefficients, out, ask);
                if (hard && sums && !call->weight.data) add_to(sums, region[COUNT], (double)(found.counted - padded));
                if (ask.grad && !sound) /* what does not count has no gradient, even of a loss that is NaN */
                    for (int64_t i = 0; i < padded; i += W)
                        store(out + i, keep(from_bytes(rows.counts + i), load(out + i)));
            }
            if ((ask.grad || ask.parts) && out == rows.g) store_row(&call->gradient, n, c, s, out, len);
        }
    }
    free(rows.x);
}
