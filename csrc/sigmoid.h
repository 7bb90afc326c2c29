/* Each element is a yes or no of its own: rows of x and t, one class at a time. */
#pragma once
#include "sigmoid_hard.h"

enum { MISSING = 1, SOFT = 2 };

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

/* A row with neutral values of no weight where nothing counts. Remembers the first bad label; says what it found. */
static int sigmoid_clean(const Call *call, Piece *piece, int64_t n, int64_t c, int64_t s, int64_t len, int64_t padded,
                         const Rows *rows) {
    float *x = rows->x, *t = rows->t, *w = rows->w;
    uint8_t *counts = rows->counts;
    const int whole = len == padded;
    const float rounding = rounding_of(&call->target);
    const vf zero = {0}, one = all(1.0f), ignore = all((float)call->ignore);
    const float *xs = whole ? row_of(x, &call->input, n, c, s, len) : x, *ts = whole ? row_of(t, &call->target, n, c, s, len) : t;
    if (!whole) load_row(x, &call->input, n, c, s, len), load_row(t, &call->target, n, c, s, len);
    if (call->weight.data) load_row(w, &call->weight, n, c, s, len);
    if (call->mask.data)
        load_mask(counts, &call->mask, n, c, s, len);
    else
        memset(counts, 1, (size_t)len);
    memset(counts + len, 0, (size_t)(padded - len));
    vm soft = lt(zero, zero), bad = soft;
    for (int64_t i = 0; i < padded; i += W) {
        vm count = from_bytes(counts + i);
        vf ti = load(ts + i);
        if (call->has_ignore) {
            count = both(count, not(eq(ti, ignore)));
            to_bytes(counts + i, count);
        }
        ti = keep(count, ti);
        soft = (vm)(soft | not((vm)(eq(ti, zero) | eq(ti, one))));
        bad = (vm)(bad | not(both(le(zero, ti), le(ti, one))));
        store(x + i, keep(count, load(xs + i)));
        store(t + i, ti);
        store(w + i, keep(count, call->weight.data ? load(w + i) : one));
    }
    int missing = memchr(counts, 0, (size_t)len) != 0;
    for (int64_t i = 0; any(bad) && i < len; i++) {
        if (!(t[i] >= -rounding && t[i] <= 1.0f + rounding))
            complain(piece, BAD_LABEL, number_at(&call->target, offset_of(&call->target, n, c, s + i)));
        t[i] = t[i] > 1.0f ? 1.0f : t[i] >= 0.0f ? t[i] : 0.0f;
    }
    return (missing ? MISSING : 0) | (any(soft) ? SOFT : 0);
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
    int inside = call->has_ignore && (call->ignore == 0 || call->ignore == 1);
    int careful = call->mask.data || inside;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        int64_t n = unit / tiling.per_sample, s = unit % tiling.per_sample * tiling.tile;
        int64_t len = call->S - s < tiling.tile ? call->S - s : tiling.tile, padded = (len + W - 1) / W * W;
        for (int64_t c = 0; c < call->C; c++) {
            const double *coefficients = call->coefficients ? call->coefficients + n * call->coefficients_n + c * call->K : 0;
            double *sums = piece->totals ? piece->totals + c * call->K : 0;
            float shift = call->shift ? call->shift[c] : 0.0f;
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
                int found = sigmoid_clean(call, piece, n, c, s, len, padded, &rows);
                careful |= found & MISSING; /* where one is ignored, others will be */
                hard = may_be_hard && !(found & SOFT);
                if (call->shift)
                    for (int64_t i = 0; i < len; i++) rows.x[i] += shift;
                ask.weighted = 1;
                if ((found & SOFT) && ask.parts) piece->without_parts = 1, ask.parts = 0;
                (hard ? hard_blocks : soft_block)(call, rows.x, rows.t, rows.w, padded, sums, coefficients, rows.g, ask);
                if (ask.grad) /* what does not count has no gradient, even of a loss that is NaN */
                    for (int64_t i = 0; i < padded; i += W)
                        store(rows.g + i, keep(from_bytes(rows.counts + i), load(rows.g + i)));
                out = rows.g;
            }
            if ((ask.grad || ask.parts) && out == rows.g) store_row(&call->gradient, n, c, s, out, len);
        }
    }
    free(rows.x);
}
