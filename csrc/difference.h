/* Regression: the Huber loss log near (d - near / 2) of each difference d = input - target, with near = d clamped to
 * +-gamma; for gamma = 0, log |d|. `log` is a factor. The target is not a label, so it is not validated. */
#pragma once
#include "element.h"
#include "terms.h"

enum { HUBER, ABSOLUTE, SQUARED }; /* ABSOLUTE: gamma 0; SQUARED: gamma infinity */

INLINE void difference_block(const Term *term, const float *x, const float *t, const float *w, int64_t len, int weighted,
                             int kind, float coefficient, double *sum, double *count, float *g) {
    const vf zero = {0};
    vf total = zero, weights = zero, limit = all((float)term->gamma), scale = all((float)term->log);
    vf slope_scale = scale * coefficient;
    for (int64_t i = 0; i < len; i += W) {
        vf d = load(x + i) - load(t + i), value, slope;
        if (kind == SQUARED) {
            value = d * d * 0.5f, slope = d;
        } else if (kind == ABSOLUTE) {
            value = absolute(d);
            slope = pick(lt(zero, d), all(1.0f), pick(lt(d, zero), all(-1.0f), d));
        } else {
            vf near = max_or_nan(zero - limit, min_or_nan(limit, d));
            value = near * (d - near * 0.5f), slope = near;
        }
        if (weighted) {
            vf wi = load(w + i);
            value = value * wi, slope = slope * wi, weights += wi;
        }
        total += value;
        if (g) store(g + i, slope * slope_scale);
    }
    *sum += (double)sum_of(total) * term->log;
    *count += weighted ? sum_of(weights) : (double)len;
}

static void difference_kernel(const Call *call, Tiling tiling, Piece *piece) {
    if (call->term->program) {
        element_kernel(call, tiling, piece);
        return;
    }
    const Rows rows = allocate_rows(tiling, piece);
    if (!rows.memory) return;
    float *x = rows.x, *t = rows.t, *w = rows.w, *g = rows.g;
    uint8_t *counts = rows.counts;
    const Term *term = call->term;
    int kind = term->gamma == 0 ? ABSOLUTE : isinf(term->gamma) ? SQUARED : HUBER;
    int grad = call->coefficients != 0, unequal_weights = call->weight.data || call->mask.data;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        const Span span = span_of(call, tiling, unit);
        int64_t n = span.n, s = span.s, len = span.len, padded = span.padded;
        int weighted = unequal_weights || len != padded;
        for (int64_t c = 0; c < call->C; c++) {
            const float *xs = x, *ts = t;
            if (!weighted && is_plain(&call->input))
                xs = (const float *)call->input.data + offset_of(&call->input, n, c, s);
            else
                load_row(x, &call->input, n, c, s, len);
            if (!weighted && is_plain(&call->target))
                ts = (const float *)call->target.data + offset_of(&call->target, n, c, s);
            else
                load_row(t, &call->target, n, c, s, len);
            if (weighted) {
                for (int64_t i = 0; i < padded; i++) w[i] = i < len ? 1.0f : 0.0f;
                if (call->weight.data) load_row(w, &call->weight, n, c, s, len);
                for (int64_t i = len; i < padded; i++) x[i] = t[i] = 0.0f;
                if (call->mask.data) {
                    load_mask(counts, &call->mask, n, c, s, len);
                    for (int64_t i = 0; i < len; i++) {
                        x[i] = counts[i] ? x[i] : 0.0f;
                        t[i] = counts[i] ? t[i] : 0.0f;
                        w[i] = counts[i] ? w[i] : 0.0f;
                    }
                }
            }
            if (call->weight.data) check_weights(piece, w, len);
            double sum = 0, count = 0;
            const double *coefficients = grad ? call->coefficients + n * call->coefficients_n + c * call->K : 0;
            float coefficient = grad ? factor_of(coefficients[term->truth[0]]) : 0.0f;
            float *out = g;
            if (len == padded && is_plain(&call->gradient))
                out = (float *)call->gradient.data + offset_of(&call->gradient, n, c, s);
#define BLOCK(kind, weighted)                                                                                          \
    difference_block(term, xs, ts, w, padded, weighted, kind, coefficient, &sum, &count, grad ? out : 0)
            if (weighted)
                BLOCK(kind, 1);
            else if (kind == SQUARED)
                BLOCK(SQUARED, 0);
            else if (kind == ABSOLUTE)
                BLOCK(ABSOLUTE, 0);
            else
                BLOCK(HUBER, 0);
#undef BLOCK
            if (grad && out == g) store_row(&call->gradient, n, c, s, g, len);
            if (piece->totals) {
                piece->totals[c * call->K + term->truth[0]] += sum;
                piece->totals[c * call->K + call->region[COUNT]] += count;
            }
        }
    }
    free(rows.memory);
}
