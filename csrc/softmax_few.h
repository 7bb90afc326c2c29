/* Few classes, and class indices: the exponentials of W positions stay in registers from logits to gradient. */
#pragma once
#include "softmax_gradient.h"

/* Where each class is read and written, W floats at a time. */
typedef struct {
    const float *in[FEW_CLASSES];
    float *out[FEW_CLASSES];
    int direct; /* out is the gradient itself */
} FewRows;

static FewRows few_rows(Tile *tile) {
    const Call *call = tile->call;
    const int64_t P = tile->P, C = call->C;
    FewRows rows = {.direct = written_in_place(tile)};
    int plain = !call->logit_bias && (tile->transpose_input || (tile->raw && is_plain(&call->input)));
    for (int64_t c = 0; c < C; c++) {
        rows.out[c] = rows.direct ? gradient_row(tile, c) : tile->r + c * P;
        if (call->activations == USE_ACTIVATIONS) {
            rows.in[c] = rows.out[c];
            if (rows.direct) continue;
            load_row(rows.out[c], &call->gradient, tile->n, c, tile->s, tile->len);
            for (int64_t i = tile->len; i < P; i++) rows.out[c][i] = 1.0f;
        } else {
            rows.in[c] = logits(tile, c);
            if (plain) continue;
            const float bias = logit_bias_of(call, c);
            float *own = tile->e + c * P;
            for (int64_t i = 0; i < P; i++) own[i] = rows.in[c][i] + bias;
            rows.in[c] = own;
        }
    }
    return rows;
}

INLINE void sum_up(vf e, int c, vf *sum, vf *m) {
    if (!c) {
        *sum = *m = e;
        return;
    }
    *sum += e;
    *m = max_or_nan(e, *m);
}

/* exp(x - base) of each class at W positions, their sum and maximum. */
INLINE void few_exponentials(const FewRows *rows, int64_t i, const int C, int subtract_base, vf base, vm absent, vf *e,
                             vf *sum, vf *m) {
    for (int c = 0; c < C; c++) {
        vf x = load(rows->in[c] + i);
        e[c] = subtract_base ? exp_below(or_zero(absent, x) - base) : exp_(x);
        sum_up(e[c], c, sum, m);
    }
}

INLINE void few_classes(Tile *tile, double *sums, const int C) {
    const Call *call = tile->call;
    const FewRows rows = few_rows(tile);
    const vf zero = {0}, one = all(1.0f);
    const int64_t *region = call->region;
    const int terms = (int)call->terms, grad = tile->coefficients != 0;
    const int use_activations = call->activations == USE_ACTIVATIONS;
    const int by_pred = grad && region[PRED] >= 0, by_tp = grad && region[TP] >= 0;
    const float *factors = tile->factors;
    int saves_logs = 0; /* whether a slope needs the logarithm of tiny probabilities, which activations lose */
    for (int j = 0; j < terms; j++) saves_logs |= call->activations == SAVE_ACTIVATIONS && slope_takes_log(call->term + j);
    int streaming = call->stream && !use_activations && rows.direct;
    for (int c = 0; c < C; c++) streaming &= (uintptr_t)rows.out[c] % (W * 4) == 0;
    vf fp[FEW_CLASSES], tp[FEW_CLASSES], fn[FEW_CLASSES], target[FEW_CLASSES], count = zero;
    vf term_sums[MOST_TERMS][FEW_CLASSES];
    for (int c = 0; c < C; c++) fp[c] = tp[c] = fn[c] = target[c] = zero;
    for (int j = 0; j < terms; j++)
        for (int c = 0; c < C; c++) term_sums[j][c] = zero;
    for (int64_t i = 0; i < tile->P; i += W) {
        vf e[FEW_CLASSES], sum = zero, m = zero, base = zero, w = load(tile->w + i);
        vi at = load_int(tile->index + i);
        if (use_activations)
            for (int c = 0; c < C; c++) {
                e[c] = load(rows.in[c] + i);
                sum_up(e[c], c, &sum, &m);
            }
        else {
            few_exponentials(&rows, i, C, 0, base, (vm){0}, e, &sum, &m);
            if (any(not(both(lt(all(1e-20f), m), lt(sum, all(1e20f)))))) { /* large logits, or NaN: shift by the largest */
                vm absent = not(le_int(all_int(0), at));
                base = all(-INFINITY);
                for (int c = 0; c < C; c++) base = max_or_nan(or_zero(absent, load(rows.in[c] + i)), base);
                few_exponentials(&rows, i, C, 1, base, absent, e, &sum, &m);
            }
        }
        vf others = sum - m;
        vm certain = lt(others, m * CERTAIN);
        const int some_certain = any(certain);
        if (some_certain) {
            vf rest = zero;
            for (int c = 0; c < C; c++) rest = add_where(lt(e[c], m), rest, e[c]);
            others = pick(certain, rest, others), sum = m + others;
        }
        vf inverse = reciprocal(sum), share = inverse * w;
        vf truth = e[0];
        for (int c = 1; c < C; c++) truth = pick(eq_int(at, all_int(c)), e[c], truth);
        vf p = truth * inverse;
        vm largest = eq(truth, m);
        vf q = pick(largest, others * inverse, one - p), l = zero, added = zero;
        if (tile->logs) {
            l = log_share(both(largest, le(others, m)), p, others * reciprocal(m));
            vm tiny = lt(min_or_nan(truth, p), all(TINY));
            if (saves_logs && any(both(tiny, le_int(all_int(0), at)))) tile->piece->activations_not_saved = 1;
            if (!use_activations && any(tiny)) {
                vf x = zero;
                for (int c = 0; c < C; c++) x = pick(eq_int(at, all_int(c)), load(rows.in[c] + i), x);
                l = pick(tiny, x - base - log_(sum), l);
            }
        }
        if (by_tp) added = lookup(factors + TP * C, C, at) * p;
        for (int j = 0; j < terms; j++) {
            TermValue evaluated = term_value(call->term + j, l, p, q);
            if (grad) added = fma_(lookup(factors + (REGION_COLUMNS + 2 * j) * C, C, at), evaluated.slope, added);
            if (sums)
                for (int c = 0; c < C; c++)
                    term_sums[j][c] = fma_where(eq_int(at, all_int(c)), evaluated.value, w, term_sums[j][c]);
        }
        if (sums) {
            count += w;
            for (int c = 0; c < C; c++) {
                vm own = eq_int(at, all_int(c));
                target[c] = add_where(own, target[c], w);
                if (!tile->region) continue;
                fp[c] = fma_where(not(own), e[c], share, fp[c]);
                tp[c] = fma_where(own, p, w, tp[c]);
                fn[c] = fma_where(own, q, w, fn[c]);
            }
        }
        if (call->activations == SAVE_ACTIVATIONS)
            for (int c = 0; c < C; c++) store(rows.out[c] + i, e[c]);
        if (!grad) continue;
        added = keep(le_int(all_int(0), at), added);
        vf rest = zero, top = zero;
        if (by_pred)
            for (int c = 0; c < C; c++) {
                vf r = e[c] * all(factors[PRED * C + c]);
                vm below = lt(e[c], m);
                if (!some_certain)
                    rest += r;
                else
                    rest = add_where(below, rest, r), top = add_where(not(below), top, r);
            }
        rest = rest * inverse, top = top * inverse;
        vf scale = (zero - share) * (rest + top + added), exact = zero;
        if (some_certain) { /* the probability of a nearly certain class rounds to 1: use those of the others */
            vf by_top = pick(largest, top + added, top), by_rest = pick(largest, rest, rest + added);
            exact = w * inverse * (others * by_top - m * by_rest);
        }
        added = added * w;
        for (int c = 0; c < C; c++) {
            vf g = by_pred ? fma_(share, all(factors[PRED * C + c]), scale) : scale;
            g = fma_(g, e[c], keep(eq_int(at, all_int(c)), added));
            if (some_certain) g = pick(both(certain, eq(e[c], m)), exact, g);
            if (streaming)
                stream(rows.out[c] + i, g);
            else
                store(rows.out[c] + i, g);
        }
    }
    for (int c = 0; grad && tile->nonfinite_coefficients && c < C; c++) leave_out(tile, rows.out[c]);
    for (int c = 0; (grad || call->activations == SAVE_ACTIVATIONS) && !rows.direct && c < C; c++)
        store_row(&call->gradient, tile->n, c, tile->s, rows.out[c], tile->len);
    if (!sums) return;
    const int64_t stride = 4 * groups_of(terms);
    const double counted = sum_of(count);
    for (int c = 0; c < C; c++) {
        double *by_class = tile->histogram + c * stride;
        by_class[0] += sum_of(target[c]), by_class[1] += sum_of(tp[c]), by_class[2] += sum_of(fn[c]);
        for (int j = 0; j < terms; j++) by_class[3 + j] += sum_of(term_sums[j][c]);
        if (region[PRED] >= 0) sums[c * call->K + region[PRED]] += sum_of(fp[c]);
        if (region[COUNT] >= 0) sums[c * call->K + region[COUNT]] += counted;
    }
}

static void few_tile(Tile *tile, double *sums) {
    switch (tile->call->C) {
#define COPY(C) case C: few_classes(tile, sums, C); return;
    COPY(2) COPY(3) COPY(4) COPY(5) COPY(6) COPY(7) COPY(8)
#undef COPY
    }
}
