/* Regression by a formula of input and target: the value of each element and its slope by the input, from a program. */
#pragma once
#include "program.h"
#include "rows.h"

/* As load_row(), of doubles. */
static void load_row_double(double *out, const View *v, int64_t n, int64_t c, int64_t s, int64_t len) {
    const int64_t at = offset_of(v, n, c, s);
    if (v->type == FLOAT64)
        for (int64_t i = 0; i < len; i++) out[i] = ((const double *)v->data)[at + i * v->s];
    else
        for (int64_t i = 0; i < len; i++) out[i] = number_at(v, at + i * v->s);
}

/* Where an element counts: 1 or 0, also beyond the end of the row. */
static void load_counts(const Call *call, const Span *span, int64_t c, uint8_t *counts) {
    if (call->mask.data)
        load_mask(counts, &call->mask, span->n, c, span->s, span->len);
    else
        memset(counts, 1, (size_t)span->len);
    memset(counts + span->len, 0, (size_t)(span->padded - span->len));
}

typedef struct {
    double sum, count;
} ElementSums;

/* Rows of a tile, of floats or of doubles. */
typedef struct {
    void *x, *t, *w, *value, *slope, *scratch;
    uint8_t *counts;
} ElementRows;

static ElementSums element_row(const Call *call, const Span *span, int64_t c, const ElementRows *rows, double coefficient) {
    const int64_t n = span->n, s = span->s, len = span->len, padded = span->padded;
    const int grad = call->coefficients != 0, selects = call->mask.data || len != padded, weighted = call->weight.data != 0;
    float *x = rows->x, *t = rows->t, *w = rows->w, *value = rows->value, *slope = rows->slope;
    const float *inputs[2] = {x, t};
    const View *views[2] = {&call->input, &call->target};
    if (selects) load_counts(call, span, c, rows->counts);
    for (int k = 0; k < 2; k++) {
        float *copy = k ? t : x;
        if (!selects && is_plain(views[k])) {
            inputs[k] = (const float *)views[k]->data + offset_of(views[k], n, c, s);
            continue;
        }
        load_row(copy, views[k], n, c, s, len);
        if (!selects) continue;
        for (int64_t i = len; i < padded; i++) copy[i] = 0.0f;
        for (int64_t i = 0; i < padded; i += W)
            store(copy + i, pick(from_bytes(rows->counts + i), load(copy + i), all((float)call->neutral[k])));
    }
    if (weighted) {
        load_row(w, &call->weight, n, c, s, len);
        for (int64_t i = len; i < padded; i++) w[i] = 0.0f;
    }
    const int direct = grad && len == padded && is_plain(&call->gradient);
    if (direct) slope = (float *)call->gradient.data + offset_of(&call->gradient, n, c, s);
    evaluate_program(call->term->program, inputs, padded, value, grad ? slope : 0, rows->scratch);
    vf sum = {0}, count = {0};
    const vf scale = all((float)coefficient);
    for (int64_t i = 0; i < padded; i += W) {
        vf v = load(value + i), g = v, wi = all(1.0f);
        if (grad) g = load(slope + i) * scale;
        if (weighted) wi = load(w + i);
        if (weighted) v = v * wi, g = g * wi;
        if (selects) {
            const vm counts = from_bytes(rows->counts + i);
            v = keep(counts, v), g = keep(counts, g), wi = keep(counts, wi);
        }
        sum += v;
        if (selects || weighted) count += as_size(wi);
        if (grad) store(slope + i, g);
    }
    if (grad && !direct) store_row(&call->gradient, n, c, s, slope, len);
    return (ElementSums){sum_of(sum), selects || weighted ? sum_of(count) : (double)len};
}

static ElementSums element_row_double(const Call *call, const Span *span, int64_t c, const ElementRows *rows,
                                      double coefficient) {
    const int64_t n = span->n, s = span->s, len = span->len;
    const int grad = call->coefficients != 0, weighted = call->weight.data != 0;
    double *w = rows->w, *value = rows->value, *slope = rows->slope;
    double *inputs[2] = {rows->x, rows->t};
    const View *views[2] = {&call->input, &call->target};
    load_counts(call, span, c, rows->counts);
    for (int k = 0; k < 2; k++) {
        load_row_double(inputs[k], views[k], n, c, s, len);
        for (int64_t i = 0; i < len; i++) inputs[k][i] = rows->counts[i] ? inputs[k][i] : call->neutral[k];
    }
    if (weighted) load_row_double(w, &call->weight, n, c, s, len);
    evaluate_program_double(call->term->program, (const double *const *)inputs, len, value, grad ? slope : 0, rows->scratch);
    ElementSums sums = {0};
    double *to = grad ? (double *)call->gradient.data + offset_of(&call->gradient, n, c, s) : 0;
    for (int64_t i = 0; i < len; i++) {
        const double wi = weighted ? w[i] : 1.0;
        sums.sum += rows->counts[i] ? value[i] * wi : 0.0;
        const double size = wi >= 0 && wi <= MOST_WEIGHT ? wi : NAN;
        sums.count += rows->counts[i] ? size : 0.0;
        if (grad) to[i * call->gradient.s] = rows->counts[i] ? slope[i] * coefficient * wi : 0.0;
    }
    return sums;
}

static void element_kernel(const Call *call, Tiling tiling, Piece *piece) {
    const int64_t bytes = padded_to_vectors(tiling.tile) * 8;
    ElementRows rows;
    void *memory = ALLOCATE_ARRAYS({&rows.x, bytes}, {&rows.t, bytes}, {&rows.w, bytes}, {&rows.value, bytes},
                                   {&rows.slope, bytes}, {&rows.counts, bytes},
                                   {&rows.scratch, scratch_of(call->term->program)});
    piece->short_of_memory |= !memory;
    if (!memory) return;
    const Term *term = call->term;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        const Span span = span_of(call, tiling, unit);
        for (int64_t c = 0; c < call->C; c++) {
            const double *coefficients = call->coefficients + span.n * call->coefficients_n + c * call->K;
            const double coefficient = call->coefficients ? coefficients[term->truth[0]] : 0.0;
            const ElementSums sums = call->input.type == FLOAT64
                                         ? element_row_double(call, &span, c, &rows, coefficient)
                                         : element_row(call, &span, c, &rows, coefficient);
            if (!piece->totals) continue;
            piece->totals[c * call->K + term->truth[0]] += sums.sum;
            piece->totals[c * call->K + call->region[COUNT]] += sums.count;
        }
    }
    free(memory);
}
