/* Columns over every element of a tile: soft targets, label smoothing, squares and absolute differences. */
#pragma once
#include "softmax_gradient.h"

/* The labels of a class: 0 where a position does not count. */
static void read_labels(Tile *tile, int64_t c) {
    const Call *call = tile->call;
    if (!call->dense) {
        for (int64_t i = 0; i < tile->P; i++) tile->labels[i] = tile->index[i] == (int32_t)c ? 1.0f : 0.0f;
        return;
    }
    float rounding = rounding_of(&call->target);
    load_row(tile->labels, &call->target, tile->n, c, tile->s, tile->len);
    for (int64_t i = tile->len; i < tile->P; i++) tile->labels[i] = 0.0f;
    for (int64_t i = 0; i < tile->len; i++) {
        float t = tile->labels[i];
        if (!tile->counts[i])
            tile->labels[i] = 0.0f;
        else if (!(t >= -rounding && t <= 1.0f + rounding))
            report_problem(tile->piece, BAD_LABEL, number_at(&call->target, offset_of(&call->target, tile->n, c, tile->s + i)));
        tile->row_sum[i] += tile->labels[i];
    }
}

/* Checks that the labels of a position sum to 1. */
static void check_rows(Tile *tile) {
    float allowed = ROW_TOLERANCE + (float)tile->call->C * rounding_of(&tile->call->target);
    for (int64_t i = 0; i < tile->len; i++)
        if (tile->counts[i] && !(fabsf(tile->row_sum[i] - 1.0f) <= allowed))
            report_problem(tile->piece, BAD_ROW, tile->row_sum[i]);
}

/* log p of a class: for the largest, from the sum of the others. */
INLINE vf log_of_class(const Tile *tile, int64_t c, const float *x, float bias, const float *log_sum, int64_t i) {
    vf e = load(tile->e + c * tile->P + i), m = load(tile->m + i), others = load(tile->others + i);
    vf l = load(x + i) + bias - load(tile->base + i) - load(log_sum + i);
    vf near = (vf){0} - log1p_unit(min_or_nan(all(1.0f), others * reciprocal(m)));
    return pick(both(eq(e, m), le(others, m)), near, l);
}

/* Values and slopes of the terms of a class that are programs. */
static void class_formulas(Tile *tile, int64_t c, const float *x, float bias, const float *log_sum) {
    const Call *call = tile->call;
    const int64_t P = tile->P;
    if (!has_programs(call)) return;
    for (int64_t i = 0; i < P; i += W) store(tile->log_row + i, log_of_class(tile, c, x, bias, log_sum, i));
    const float *logs = tile->log_row;
    for (int64_t j = 0; j < call->terms; j++)
        if (call->term[j].program)
            evaluate_program(call->term[j].program, &logs, P, tile->term_values + j * P, tile->term_slopes + j * P,
                             tile->scratch);
}

/* Sums of every column, and the slopes r by each log-probability, with their sums over the classes. */
static void sum_elements(Tile *tile, double *sums) {
    const Call *call = tile->call;
    const int64_t *region = call->region;
    int64_t P = tile->P, C = call->C, K = call->K;
    const vf zero = {0}, one = all(1.0f);
    int grad = tile->coefficients != 0;
    float *rest = tile->total, *largest = tile->top, *log_sum = tile->truth_log;
    float *other_rest = tile->truth_p, *other_largest = tile->truth_q, *other_row_sum = tile->added;
    start_sum(tile, rest, other_rest);
    start_sum(tile, largest, other_largest);
    start_sum(tile, tile->row_sum, other_row_sum);
    for (int64_t i = 0; i < P; i += W) store(log_sum + i, log_(load(tile->sum + i)));
    for (int64_t c = 0; c < C; c++) {
        const float *x = logits(tile, c), *factor = tile->factors;
        float bias = logit_bias_of(call, c);
        read_labels(tile, c);
        class_formulas(tile, c, x, bias, log_sum);
        vf columns[REGION_COLUMNS], fp = zero, fn = zero, truth[MOST_TERMS], every[MOST_TERMS];
        for (int k = 0; k < REGION_COLUMNS; k++) columns[k] = zero;
        for (int64_t j = 0; j < call->terms; j++) truth[j] = every[j] = zero;
        float f[REGION_COLUMNS];
        for (int k = 0; k < REGION_COLUMNS; k++) f[k] = factor[k * C + c];
        for (int64_t i = 0; i < P; i += W) {
            vf e = load(tile->e + c * P + i), m = load(tile->m + i), others = load(tile->others + i);
            vf inverse = load(tile->inverse + i), t = load(tile->labels + i), w = load(tile->w + i);
            vf p = e * inverse;
            vm top = eq(e, m);
            vf q = pick(top, others * inverse, one - p);
            vf difference = pick(eq(t, one), zero - q, p - t);
            columns[TP] = fma_(p * w, t, columns[TP]);
            fn = fma_(q * w, t, fn);
            fp = fma_(p * w, one - t, fp);
            columns[TARGET] = fma_(t, w, columns[TARGET]);
            columns[COUNT] += w;
            columns[PRED_SQ] = fma_(p * p, w, columns[PRED_SQ]);
            columns[TARGET_SQ] = fma_(t * t, w, columns[TARGET_SQ]);
            columns[TP_L1] = fma_(pick(lt(difference, zero), p, t), w, columns[TP_L1]);
            columns[FP_L1] = fma_(max_or_nan(zero, difference), w, columns[FP_L1]);
            columns[FN_L1] = fma_(max_or_nan(zero, zero - difference), w, columns[FN_L1]);
            vf r = zero;
            if (grad) {
                r = fma_(all(f[TP]), t, fma_(all(2 * f[PRED_SQ]), p, all(f[PRED])));
                r += l1_slope(difference, f[TP_L1], f[FP_L1], f[FN_L1]);
                r = r * p;
            }
            if (call->terms) {
                vf l = log_of_class(tile, c, x, bias, log_sum, i);
                for (int64_t j = 0; j < call->terms; j++) {
                    TermValue evaluated = term_at(call->term + j, l, p, q, tile->term_values + j * P, tile->term_slopes + j * P, i);
                    truth[j] += or_zero(eq(t, zero), evaluated.value * t * w);
                    every[j] = fma_(evaluated.value, w, every[j]);
                    if (!grad) continue;
                    const float *by = factor + (REGION_COLUMNS + 2 * j) * C + c;
                    vf share = fma_(all(by[0]), t, all(by[C]));
                    r += or_zero(eq(share, zero), share * evaluated.slope);
                }
            }
            if (!grad) continue;
            store(tile->r + c * P + i, r);
            store(rest + i, add_where(not(top), load(rest + i), r));
            store(largest + i, add_where(top, load(largest + i), r));
        }
        add_block(tile, c + 1, rest, other_rest);
        add_block(tile, c + 1, largest, other_largest);
        add_block(tile, c + 1, tile->row_sum, other_row_sum);
        if (!sums) continue;
        double right = true_positives(sum_of(columns[TP]), sum_of(fn), sum_of(columns[TARGET]));
        if (region[TP] >= 0) sums[c * K + region[TP]] += right;
        if (region[PRED] >= 0) sums[c * K + region[PRED]] += right + sum_of(fp);
        if (region[TP_L1] >= 0)
            sums[c * K + region[TP_L1]] +=
                true_positives(sum_of(columns[TP_L1]), sum_of(columns[FN_L1]), sum_of(columns[TARGET]));
        for (int k = TARGET; k < REGION_COLUMNS; k++)
            if (region[k] >= 0 && k != TP_L1) sums[c * K + region[k]] += sum_of(columns[k]);
        for (int64_t j = 0; j < call->terms; j++) {
            const Term *term = call->term + j;
            if (term->truth[0] >= 0) sums[c * K + term->truth[0]] += sum_of(truth[j]);
            if (term->every[0] >= 0) sums[c * K + term->every[0]] += sum_of(every[j]);
        }
    }
    end_sum(tile, rest, other_rest);
    end_sum(tile, largest, other_largest);
    end_sum(tile, tile->row_sum, other_row_sum);
    if (call->dense) check_rows(tile);
}

static void gradient_elements(Tile *tile) {
    const Call *call = tile->call;
    int64_t P = tile->P;
    for (int64_t c = 0; c < call->C; c++) {
        float *out = gradient_row(tile, c);
        for (int64_t i = 0; i < P; i += W) {
            vf e = load(tile->e + c * P + i), m = load(tile->m + i), inverse = load(tile->inverse + i);
            vf r = load(tile->r + c * P + i), rest = load(tile->total + i), top = load(tile->top + i);
            vf others = load(tile->others + i), p = e * inverse;
            vm exact = both(eq(e, m), lt(others, m * CERTAIN));
            vf g = pick(exact, others * inverse * r - p * rest, r - p * (rest + top));
            store(out + i, g * load(tile->w + i));
        }
        gradient_done(tile, c, out);
    }
    if (tile->transpose_gradient) transpose_out(tile, &call->gradient, tile->e, tile->r);
}
