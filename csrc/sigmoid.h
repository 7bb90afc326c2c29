/* Independent binary labels per element: rows of x and t, one class at a time. */
#pragma once
#include "sigmoid_hard.h"

/* len floats of a row, a multiple of W: the memory of the tensor if it is contiguous float32, else a copy. */
INLINE const float *row_of(float *copy, const View *v, int64_t n, int64_t c, int64_t s, int64_t len) {
    if (is_plain(v)) return (const float *)v->data + offset_of(v, n, c, s);
    load_row(copy, v, n, c, s, len);
    return copy;
}

typedef struct {
    int ignored, soft; /* whether any element does not count; whether any label is neither 0 nor 1 */
    int64_t counted;
} RowContent;

/* A row in which elements that do not count have the label 0 and the logit -infinity, so that they add 0 to every sum,
 * whatever their weight, and have no slope. Reports the first invalid label. */
static RowContent load_valid_row(const Call *call, Piece *piece, Span span, int64_t c, const Rows *rows) {
    const int64_t n = span.n, s = span.s, len = span.len, padded = span.padded;
    float *x = rows->x, *t = rows->t, *w = rows->w;
    uint8_t *counts = rows->counts;
    const float rounding = rounding_of(&call->target);
    const vf ignore = all((float)call->ignore), no_chance = all(-INFINITY);
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
    RowContent content = {0};
    vi not_binary = {0};
    for (int64_t i = 0; i < padded; i += W) {
        vm count = from_bytes(counts + i);
        vf ti = load(ts + i);
        if (call->has_ignore) {
            count = both(count, not(eq(ti, ignore)));
            to_bytes(counts + i, count);
        }
        ti = keep(count, ti);
        ones(ti, &not_binary);
        store(x + i, pick(count, load(xs + i), no_chance));
        store(t + i, ti);
        if (call->weight.data) store(w + i, keep(count, load(w + i)));
        content.counted += count_of(count);
    }
    content.ignored = content.counted < len;
    if (!any_bit(not_binary)) return content;
    const vf zero = {0}, one = all(1.0f), least = all(-rounding), most = all(1.0f + rounding);
    vm soft = lt(one, zero), invalid = soft;
    for (int64_t i = 0; i < padded; i += W) {
        vf ti = load(t + i);
        soft = (vm)(soft | both(not(eq(ti, zero)), not(eq(ti, one))));
        invalid = (vm)(invalid | not(both(le(least, ti), le(ti, most))));
        store(t + i, keep(lt(zero, ti), min_or_nan(one, ti))); /* maps -0 to 0 */
    }
    content.soft = any(soft);
    for (int64_t i = 0; any(invalid) && i < len; i++) {
        if (!counts[i]) continue;
        double label = number_at(&call->target, offset_of(&call->target, n, c, s + i));
        if (!(label >= -rounding && label <= 1.0 + rounding)) report_problem(piece, BAD_LABEL, label);
    }
    return content;
}

/* For sums over both labels: elements that do not count have the logit 0 and the weight 0, so that no infinite term is
 * multiplied by the weight 0. */
static void weigh_by_counts(const Rows *rows, int64_t padded, int weighted) {
    for (int64_t i = 0; i < padded; i += W) {
        vm count = from_bytes(rows->counts + i);
        store(rows->x + i, keep(count, load(rows->x + i)));
        store(rows->w + i, keep(count, weighted ? load(rows->w + i) : all(1.0f)));
    }
}

static void sigmoid_kernel(const Call *call, Tiling tiling, Piece *piece) {
    const Rows rows = allocate_rows(tiling, piece);
    if (!rows.memory) return;
    TermRows term_rows = allocate_term_rows(call, tiling, piece);
    if (piece->short_of_memory) {
        free(rows.memory);
        return;
    }
    const int64_t *region = call->region;
    Request request = {
        .sum = call->totals != 0,
        .grad = call->coefficients != 0,
        .save_activations = call->activations == SAVE_ACTIVATIONS,
        .region = region[TP] >= 0 || region[PRED] >= 0,
        .squares = region[PRED_SQ] >= 0 || region[TARGET_SQ] >= 0 || has_l1(call),
        .log = call->terms > 0 && is_log(call->term),
        .rows = &term_rows,
        .formulas = term_rows.memory != 0,
    };
    request.terms = call->terms > request.log;
    const Term *last = call->term + request.log;
    request.squared = call->terms == request.log + 1 && last->gamma == 2 && last->rest == 0;
    int hard = !request.squares && !term_rows.memory;
    request.formulas &= !request.region && !request.squares;
    for (int64_t j = 0; j < call->terms; j++) request.formulas &= call->term[j].program != 0;
    for (int64_t j = 0; j < call->terms; j++) hard &= call->term[j].every[0] < 0 && call->term[j].every[1] < 0;
    const int may_be_hard = hard;
    piece->activations_not_saved = request.save_activations && (!hard || request.terms || call->weight.data);
    request.save_activations &= !piece->activations_not_saved;
    int ignore_is_label = call->has_ignore && (call->ignore == 0 || call->ignore == 1);
    int some_ignored = call->mask.data || ignore_is_label;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        const Span span = span_of(call, tiling, unit);
        int64_t n = span.n, s = span.s, len = span.len, padded = span.padded;
        for (int64_t c = 0; c < call->C; c++) {
            const double *coefficients = call->coefficients ? call->coefficients + n * call->coefficients_n + c * call->K : 0;
            double *sums = piece->totals ? piece->totals + c * call->K : 0;
            float bias = call->logit_bias ? call->logit_bias[c] : 0.0f;
            int finite_coefficients = 1;
            for (int64_t k = 0; coefficients && k < call->K; k++) finite_coefficients &= isfinite(coefficients[k]) != 0;
            int direct = is_plain(&call->gradient) && len == padded;
            float *out = (request.grad || call->activations) && direct
                             ? (float *)call->gradient.data + offset_of(&call->gradient, n, c, s)
                             : rows.g;
            if (call->activations == USE_ACTIVATIONS) {
                if (!direct) load_row(out, &call->gradient, n, c, s, len);
                gradient_from_activations(call, padded, coefficients, out);
                if (!direct) store_row(&call->gradient, n, c, s, out, len);
                continue;
            }
            int done = 0;
            if (!some_ignored && len == padded) {
                const float *x = row_of(rows.x, &call->input, n, c, s, len), *w = rows.w;
                const float *t = row_of(rows.t, &call->target, n, c, s, len);
                if (call->logit_bias) {
                    for (int64_t i = 0; i < len; i++) rows.x[i] = x[i] + bias;
                    x = rows.x;
                }
                request.weighted = call->weight.data != 0;
                if (request.weighted) w = row_of(rows.w, &call->weight, n, c, s, len);
                done = hard && !hard_blocks(call, x, t, w, len, sums, coefficients, out, request);
                if (!done && !request.save_activations) { /* fails on an ignored label, which is outside [0, 1] */
                    hard = 0;
                    done = !soft_blocks(call, x, t, w, len, sums, coefficients, out, request, may_be_hard);
                }
                if (done && request.weighted) check_weights(piece, w, len);
            }
            if (!done) {
                RowContent content = load_valid_row(call, piece, span, c, &rows);
                if (call->weight.data) check_weights(piece, rows.w, len);
                some_ignored |= content.ignored; /* later rows are likely to have ignored elements too */
                hard = may_be_hard && !content.soft;
                if (call->logit_bias)
                    for (int64_t i = 0; i < len; i++) rows.x[i] += bias;
                if (content.soft && request.save_activations)
                    piece->activations_not_saved = 1, request.save_activations = 0;
                if (!hard) weigh_by_counts(&rows, padded, call->weight.data != 0);
                request.weighted = !hard || call->weight.data;
                if (hard)
                    hard_blocks(call, rows.x, rows.t, rows.w, padded, sums, coefficients, out, request);
                else
                    soft_blocks(call, rows.x, rows.t, rows.w, padded, sums, coefficients, out, request, may_be_hard);
                if (hard && sums && !call->weight.data) add_to(sums, region[COUNT], (double)(content.counted - padded));
                if (request.grad && !finite_coefficients) /* no gradient where ignored, even of a NaN loss */
                    for (int64_t i = 0; i < padded; i += W)
                        store(out + i, keep(from_bytes(rows.counts + i), load(out + i)));
            }
            if ((request.grad || request.save_activations) && out == rows.g)
                store_row(&call->gradient, n, c, s, out, len);
        }
    }
    free(term_rows.memory);
    free(rows.memory);
}
