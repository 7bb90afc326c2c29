/* Labels of any value in [0, 1], and sums over both labels of every element. */
#pragma once
#include "rows.h"
#include "terms.h"

/* What is computed of a block of a row. Constants where a specialized copy of the code is worth it. */
typedef struct {
    int weighted;         /* w holds weights, 0 where an element does not count */
    int sum, grad;        /* totals; the gradient, given that of the totals */
    int save_activations; /* instead of the gradient, what it is computed from once that of the totals is known */
    int region;           /* tp, pred, target */
    int squares;          /* pred_sq, target_sq, abs_diff */
    int log;              /* the first term is -log p, summed by the truth alone */
    int terms;            /* the others, from position `log` on */
    int squared;          /* the only other one is -(1 - p)^2 log p */
} Request;

INLINE vf weigh(vf v, vf w, int weighted) {
    if (weighted) v = v * w;
    return v;
}

/* The coefficient of a column, 0 where there is none. */
INLINE float coefficient_of(const double *coefficients, int64_t column) {
    return column < 0 ? 0.0f : (float)coefficients[column];
}

INLINE void add_to(double *sums, int64_t column, double sum) {
    if (column >= 0) sums[column] += sum;
}

/* The region columns, from sums of probabilities by label. */
INLINE void add_region(const Call *call, double *sums, double tp, double fp, double fn, double targets, double count) {
    double right = true_positives(tp, fn, targets);
    add_to(sums, call->region[TP], right);
    add_to(sums, call->region[PRED], right + fp);
    add_to(sums, call->region[TARGET], targets);
    add_to(sums, call->region[COUNT], count);
}

/* The sums of len elements, len a multiple of W; whether a t lies outside [0, 1]. */
static int soft_block(const Call *call, const float *x, const float *t, const float *w, int64_t len, double *sums,
                      const double *coefficients, float *g, const Request request) {
    const vf zero = {0}, one = all(1.0f);
    const Term *terms = call->term;
    vf tp = zero, fp = zero, fn = zero, target = zero, count = zero, pred_sq = zero, target_sq = zero, abs_diff = zero;
    vf term_sums[MOST_TERMS][4], c_truth[MOST_TERMS][2], c_every[MOST_TERMS][2];
    vf g_tp = zero, g_pred = zero, g_sq = zero, g_abs = zero;
    for (int j = 0; j < call->terms; j++)
        for (int k = 0; k < 4; k++) term_sums[j][k] = zero;
    if (request.grad) {
        g_tp = all(coefficient_of(coefficients, call->region[TP])), g_pred = all(coefficient_of(coefficients, call->region[PRED]));
        g_sq = all(2 * coefficient_of(coefficients, call->region[PRED_SQ]));
        g_abs = all(coefficient_of(coefficients, call->region[ABS_DIFF]));
        for (int j = 0; j < call->terms; j++)
            for (int k = 0; k < 2; k++) {
                c_truth[j][k] = all(coefficient_of(coefficients, terms[j].truth[k]));
                c_every[j][k] = all(coefficient_of(coefficients, terms[j].every[k]));
            }
    }
    vm invalid = lt(one, zero);
    for (int64_t i = 0; i < len; i += W) {
        vf xi = load(x + i), ti = load(t + i), wi = request.weighted ? load(w + i) : one;
        invalid = (vm)(invalid | not(both(le(zero, ti), le(ti, one))));
        vf z = exp_below(minus_absolute(xi)), d = reciprocal(one + z), zd = z * d;
        vm below_half = negative(xi);
        vf p = pick(below_half, zd, d), q = pick(below_half, d, zd);
        vf slope = zero; /* the gradient by x, but for the weight */
        if (request.sum) {
            target = fma_(ti, wi, target), count += wi;
            if (request.region) {
                /* right and wrong apart, so that neither is lost to rounding beside the other */
                tp = fma_(p * wi, ti, tp), fn = fma_(q * wi, ti, fn), fp = fma_(p * wi, one - ti, fp);
            }
        }
        vf difference = pick(eq(ti, one), zero - q, p - ti);
        if (request.squares && request.sum) {
            pred_sq = fma_(p * p, wi, pred_sq);
            target_sq = fma_(ti * ti, wi, target_sq);
            abs_diff = fma_(absolute(difference), wi, abs_diff);
        }
        if (request.grad) {
            slope = fma_(g_sq, p, fma_(g_tp, ti, g_pred));
            slope += pick(lt(zero, difference), g_abs, keep(lt(difference, zero), zero - g_abs));
            slope = slope * (p * q);
        }
        if (call->terms) {
            vf curve = log1p_unit(z);
            vf below = max_or_nan(zero, zero - xi) + curve, above = max_or_nan(zero, xi) + curve; /* -log p, -log q */
            for (int j = 0; j < call->terms; j++) {
                TermValue on = term_value(terms + j, zero - below, p, q), off = term_value(terms + j, zero - above, q, p);
                if (request.sum) {
                    term_sums[j][0] += or_zero(eq(ti, zero), on.value * ti * wi);
                    term_sums[j][1] += or_zero(eq(ti, one), off.value * (one - ti) * wi);
                    term_sums[j][2] = fma_(on.value, wi, term_sums[j][2]);
                    term_sums[j][3] = fma_(off.value, wi, term_sums[j][3]);
                }
                if (request.grad) {
                    vf c_on = fma_(c_truth[j][0], ti, c_every[j][0]), c_off = fma_(c_truth[j][1], one - ti, c_every[j][1]);
                    slope += or_zero(eq(c_on, zero), c_on * on.slope * q);
                    slope -= or_zero(eq(c_off, zero), c_off * off.slope * p);
                }
            }
        }
        if (request.grad) store(g + i, weigh(slope, wi, request.weighted));
    }
    if (!request.sum || any(invalid)) return any(invalid);
    add_region(call, sums, sum_of(tp), sum_of(fp), sum_of(fn), sum_of(target), sum_of(count));
    if (request.squares) {
        add_to(sums, call->region[PRED_SQ], sum_of(pred_sq));
        add_to(sums, call->region[TARGET_SQ], sum_of(target_sq));
        add_to(sums, call->region[ABS_DIFF], sum_of(abs_diff));
    }
    for (int j = 0; j < call->terms; j++)
        for (int k = 0; k < 2; k++) {
            add_to(sums, terms[j].truth[k], sum_of(term_sums[j][k]));
            add_to(sums, terms[j].every[k], sum_of(term_sums[j][2 + k]));
        }
    return 0;
}
