/* Regression by programs of input and target: per-element values, and slopes by the input. */
#pragma once
#include "program.h"
#include "rows.h"

/* Scratch memory large enough for any of the terms. */
static int64_t most_scratch(const Call *call) {
    int64_t most = 0;
    for (int64_t j = 0; j < call->terms; j++) {
        const int64_t bytes = scratch_of(call->term[j].program);
        if (bytes > most) most = bytes;
    }
    return most;
}

/* Like load_row(), for doubles. */
static void load_row_double(double *out, const View *v, int64_t n, int64_t c, int64_t s, int64_t len) {
    const int64_t at = offset_of(v, n, c, s);
    if (v->type == FLOAT64)
        for (int64_t i = 0; i < len; i++) out[i] = ((const double *)v->data)[at + i * v->s];
    else
        for (int64_t i = 0; i < len; i++) out[i] = number_at(v, at + i * v->s);
}

/* 1 where an element counts, else 0; also 0 beyond the end of the row. */
static void load_counts(const Call *call, const Span *span, int64_t c, uint8_t *counts) {
    if (call->mask.data)
        load_mask(counts, &call->mask, span->n, c, span->s, span->len);
    else
        memset(counts, 1, (size_t)span->len);
    memset(counts + span->len, 0, (size_t)(span->padded - span->len));
}

/* Rows of a tile, of floats or of doubles. */
typedef struct {
    void *x, *t, *w, *value, *slope, *out, *numbers, *scratch;
    uint8_t *counts;
    int64_t apart; /* elements from one row of numbers to the next */
} ElementRows;

/* Adds to the sums of a class, and writes its gradient unless coefficients are null. */
static void element_row(const Call *call, const Span *span, int64_t c, const ElementRows *rows, const double *coefficients,
                        double *sums) {
    const int64_t n = span->n, s = span->s, len = span->len, padded = span->padded;
    const int grad = coefficients != 0, selects = call->mask.data || len != padded, weighted = call->weight.data != 0;
    float *x = rows->x, *t = rows->t, *w = rows->w, *value = rows->value, *slope = grad ? rows->slope : 0, *out = rows->out;
    const float *inputs[2 + MOST_NUMBERS] = {x, t};
    const View *views[2] = {&call->input, &call->target};
    for (int64_t k = 0; k < call->numbers; k++) inputs[2 + k] = (float *)rows->numbers + k * rows->apart;
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
    if (direct) out = (float *)call->gradient.data + offset_of(&call->gradient, n, c, s);
    for (int64_t j = 0; j < call->terms; j++) {
        const Term *term = call->term + j;
        const int sloped = grad && has_slope(term->program);
        if (j == 0 && grad) slope = out;
        evaluate_program(term->program, inputs, padded, value, sloped ? slope : 0, rows->scratch);
        vf sum = {0};
        const vf scale = all(grad ? factor_of(coefficients[term->truth[0]]) : 0.0f);
        for (int64_t i = 0; i < padded; i += W) {
            vf v = load(value + i), g = v, wi = scale;
            if (sloped) g = load(slope + i) * scale;
            if (weighted) wi = load(w + i), v = v * wi, g = g * wi;
            if (selects) {
                const vm counts = from_bytes(rows->counts + i);
                v = keep(counts, v), g = keep(counts, g);
            }
            sum += v;
            if (sloped && j) g += load(out + i);
            if (sloped) store(out + i, g);
        }
        slope = grad ? rows->slope : 0;
        if (sums) sums[term->truth[0]] += sum_of(sum);
    }
    if (grad && !direct) store_row(&call->gradient, n, c, s, out, len);
    if (!sums) return;
    vf count = {0};
    for (int64_t i = 0; (selects || weighted) && i < padded; i += W) {
        vf wi = all(1.0f);
        if (weighted) wi = load(w + i);
        if (selects) wi = keep(from_bytes(rows->counts + i), wi);
        count += as_size(wi);
    }
    sums[call->region[COUNT]] += selects || weighted ? sum_of(count) : (double)len;
}

static void element_row_double(const Call *call, const Span *span, int64_t c, const ElementRows *rows,
                               const double *coefficients, double *sums) {
    const int64_t n = span->n, s = span->s, len = span->len;
    const int grad = coefficients != 0, weighted = call->weight.data != 0;
    double *w = rows->w, *value = rows->value, *slope = grad ? rows->slope : 0, *out = rows->out;
    double *inputs[2 + MOST_NUMBERS] = {rows->x, rows->t};
    const View *views[2] = {&call->input, &call->target};
    for (int64_t k = 0; k < call->numbers; k++) inputs[2 + k] = (double *)rows->numbers + k * rows->apart;
    load_counts(call, span, c, rows->counts);
    for (int k = 0; k < 2; k++) {
        load_row_double(inputs[k], views[k], n, c, s, len);
        for (int64_t i = 0; i < len; i++) inputs[k][i] = rows->counts[i] ? inputs[k][i] : call->neutral[k];
    }
    if (weighted) load_row_double(w, &call->weight, n, c, s, len);
    for (int64_t i = 0; i < len; i++) w[i] = !rows->counts[i] ? 0.0 : weighted ? w[i] : 1.0;
    for (int64_t i = 0; i < len; i++) out[i] = 0.0;
    for (int64_t j = 0; j < call->terms; j++) {
        const Term *term = call->term + j;
        const int sloped = grad && has_slope(term->program);
        evaluate_program_double(term->program, (const double *const *)inputs, len, value, sloped ? slope : 0, rows->scratch);
        for (int64_t i = 0; sums && i < len; i++) sums[term->truth[0]] += rows->counts[i] ? value[i] * w[i] : 0.0;
        for (int64_t i = 0; sloped && i < len; i++)
            out[i] += rows->counts[i] ? slope[i] * coefficients[term->truth[0]] * w[i] : 0.0;
    }
    for (int64_t i = 0; sums && i < len; i++) sums[call->region[COUNT]] += w[i] >= 0 && w[i] <= MOST_WEIGHT ? w[i] : NAN;
    double *to = grad ? (double *)call->gradient.data + offset_of(&call->gradient, n, c, s) : 0;
    for (int64_t i = 0; grad && i < len; i++) to[i * call->gradient.s] = out[i];
}

static void element_kernel(const Call *call, Tiling tiling, Piece *piece) {
    const int64_t count = padded_to_vectors(tiling.tile), bytes = count * 8;
    ElementRows rows = {.apart = count};
    void *memory = ALLOCATE_ARRAYS({&rows.x, bytes}, {&rows.t, bytes}, {&rows.w, bytes}, {&rows.value, bytes},
                                   {&rows.slope, bytes}, {&rows.out, bytes}, {&rows.counts, bytes},
                                   {&rows.numbers, call->numbers * bytes}, {&rows.scratch, most_scratch(call)});
    piece->short_of_memory |= !memory;
    if (!memory) return;
    for (int64_t i = 0; i < call->numbers * count; i++) {
        const double number = call->number[i / count];
        if (call->input.type == FLOAT64)
            ((double *)rows.numbers)[i] = number;
        else
            ((float *)rows.numbers)[i] = (float)number;
    }
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        const Span span = span_of(call, tiling, unit);
        for (int64_t c = 0; c < call->C; c++) {
            const double *coefficients = call->coefficients ? call->coefficients + span.n * call->coefficients_n + c * call->K : 0;
            double *sums = piece->totals ? piece->totals + c * call->K : 0;
            if (call->input.type == FLOAT64)
                element_row_double(call, &span, c, &rows, coefficients, sums);
            else
                element_row(call, &span, c, &rows, coefficients, sums);
        }
    }
    free(memory);
}
