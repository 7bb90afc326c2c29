/* Terms that are programs: values and slopes of a row of log-probabilities. */
#pragma once
#include "element.h"
#include "terms.h"

/* A term at W positions: computed from its numbers, or read from the result of a program. */
INLINE TermValue term_at(const Term *term, vf l, vf p, vf q, const float *value, const float *slope, int64_t i) {
    if (term->program) return (TermValue){load(value + i), load(slope + i)};
    return term_value(term, l, p, q);
}

static int has_programs(const Call *call) {
    for (int64_t j = 0; j < call->terms; j++)
        if (call->term[j].program) return 1;
    return 0;
}

/* Rows of both labels, positive and negative. */
typedef struct {
    float *log[2], *rest[2], *value[MOST_TERMS][2], *slope[MOST_TERMS][2], *scratch; /* rest: 1 - p */
    void *memory;
} TermRows;

static TermRows allocate_term_rows(const Call *call, Tiling tiling, Piece *piece) {
    TermRows rows = {0};
    if (!has_programs(call)) return rows;
    const int64_t P = padded_to_vectors(tiling.tile), count = 4 + 4 * call->terms;
    float *first;
    rows.memory = ALLOCATE_ARRAYS({&first, count * P * 4}, {&rows.scratch, most_scratch(call)});
    piece->short_of_memory |= !rows.memory;
    if (!rows.memory) return rows;
    for (int side = 0; side < 2; side++) {
        rows.log[side] = first + side * P, rows.rest[side] = first + (2 + side) * P;
        for (int64_t j = 0; j < call->terms; j++) {
            rows.value[j][side] = first + (4 + 4 * j + side) * P;
            rows.slope[j][side] = first + (6 + 4 * j + side) * P;
        }
    }
    return rows;
}

/* The terms of a row of logits, and 1 - p of both labels; slopes only if `grad`. If every label is 0 or 1 and only sums
 * by truth are requested, both sides are that of the true label, and the result is 1. */
static int evaluate_terms(const Call *call, TermRows *rows, const float *x, const float *t, int64_t len, int grad) {
    const vf zero = {0}, one = all(1.0f);
    vi not_binary = {0};
    for (int64_t i = 0; i < len; i += W) ones(load(t + i), &not_binary);
    int by_truth = !any_bit(not_binary);
    for (int64_t j = 0; j < call->terms; j++) by_truth &= call->term[j].every[0] < 0 && call->term[j].every[1] < 0;
    for (int64_t i = 0; i < len; i += W) {
        vf xi = load(x + i);
        if (by_truth) xi = pick(eq(load(t + i), zero), zero - xi, xi);
        vf z = exp_below(minus_absolute(xi)), d = reciprocal(one + z), zd = z * d, curve = log1p_unit(z);
        vm below_half = negative(xi);
        store(rows->log[0] + i, zero - (max_or_nan(zero, zero - xi) + curve));
        store(rows->rest[0] + i, pick(below_half, d, zd));
        if (by_truth) continue;
        store(rows->log[1] + i, zero - (max_or_nan(zero, xi) + curve));
        store(rows->rest[1] + i, pick(below_half, zd, d));
    }
    for (int64_t j = 0; j < call->terms; j++) {
        if (!call->term[j].program) continue;
        for (int side = 0; side < 2 - by_truth; side++) {
            const float *input = rows->log[side];
            evaluate_program(call->term[j].program, &input, len, rows->value[j][side], grad ? rows->slope[j][side] : 0,
                             rows->scratch);
        }
    }
    return by_truth;
}
