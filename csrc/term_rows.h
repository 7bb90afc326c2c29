/* Terms that are formulas: values and slopes of a row of log probabilities. */
#pragma once
#include "program.h"
#include "rows.h"
#include "terms.h"

/* A term at W positions: from numbers, or read where a program left it. */
INLINE TermValue term_at(const Term *term, vf l, vf p, vf q, const float *value, const float *slope, int64_t i) {
    if (term->program) return (TermValue){load(value + i), load(slope + i)};
    return term_value(term, l, p, q);
}

static int has_programs(const Call *call) {
    for (int64_t j = 0; j < call->terms; j++)
        if (call->term[j].program) return 1;
    return 0;
}

static int64_t most_scratch(const Call *call) {
    int64_t most = 0;
    for (int64_t j = 0; j < call->terms; j++) {
        const int64_t bytes = scratch_of(call->term[j].program);
        if (bytes > most) most = bytes;
    }
    return most;
}

/* Rows of both labels, of yes and of no. */
typedef struct {
    float *log[2], *value[MOST_TERMS][2], *slope[MOST_TERMS][2], *scratch;
    void *memory;
} TermRows;

static TermRows allocate_term_rows(const Call *call, Tiling tiling, Piece *piece) {
    TermRows rows = {0};
    if (!has_programs(call)) return rows;
    const int64_t P = padded_to_vectors(tiling.tile), count = 2 + 4 * call->terms;
    float *first;
    rows.memory = ALLOCATE_ARRAYS({&first, count * P * 4}, {&rows.scratch, most_scratch(call)});
    piece->short_of_memory |= !rows.memory;
    if (!rows.memory) return rows;
    for (int side = 0; side < 2; side++) {
        rows.log[side] = first + side * P;
        for (int64_t j = 0; j < call->terms; j++) {
            rows.value[j][side] = first + (2 + 4 * j + side) * P;
            rows.slope[j][side] = first + (4 + 4 * j + side) * P;
        }
    }
    return rows;
}

/* The terms of a row of logits. Where each label is 0 or 1 and only the truth counts, both sides are that of the truth. */
static void evaluate_terms(const Call *call, const TermRows *rows, const float *x, const float *t, int64_t len) {
    const vf zero = {0};
    vi not_binary = {0};
    int by_truth = 1;
    for (int64_t i = 0; i < len; i += W) ones(load(t + i), &not_binary);
    by_truth = !any_bit(not_binary);
    for (int64_t j = 0; j < call->terms; j++) by_truth &= call->term[j].every[0] < 0 && call->term[j].every[1] < 0;
    for (int64_t i = 0; i < len; i += W) {
        vf xi = load(x + i), curve = log1p_unit(exp_below(minus_absolute(xi)));
        if (by_truth) xi = pick(eq(load(t + i), zero), zero - xi, xi);
        store(rows->log[0] + i, zero - (max_or_nan(zero, zero - xi) + curve));
        if (!by_truth) store(rows->log[1] + i, zero - (max_or_nan(zero, xi) + curve));
    }
    for (int64_t j = 0; j < call->terms; j++) {
        if (!call->term[j].program) continue;
        for (int side = 0; side < 2; side++) {
            const float *input = rows->log[side];
            if (side && by_truth) {
                memcpy(rows->value[j][1], rows->value[j][0], (size_t)len * 4);
                memcpy(rows->slope[j][1], rows->slope[j][0], (size_t)len * 4);
            } else
                evaluate_program(call->term[j].program, &input, len, rows->value[j][side], rows->slope[j][side], rows->scratch);
        }
    }
}
