/* Soft labels in [0, 1], and sums over both labels of every element. */
#pragma once
#include "term_rows.h"

/* What to compute for a block of a row. Compile-time constants in specialized copies of the code. */
typedef struct {
    int weighted;         /* w contains weights, 0 where an element does not count */
    int sum, grad;        /* compute totals; compute the gradient, given that of the totals */
    int save_activations; /* instead of the gradient, save what computes it once that of the totals is known */
    int region;           /* tp, pred, target */
    int squares;          /* pred_sq, target_sq, tp_l1, fp_l1, fn_l1 */
    int log;              /* the first term is -log p, summed only by truth */
    int terms;            /* number of the others, starting at index `log` */
    int squared;          /* the only other term is -(1 - p)^2 log p */
    TermRows *rows;       /* for terms that are programs */
    int formulas;         /* whether programs are all that is computed */
} Request;

INLINE vf weigh(vf v, vf w, int weighted) {
    if (weighted) v = v * w;
    return v;
}

/* The coefficient of a column, 0 if the column is absent. */
INLINE float coefficient_of(const double *coefficients, int64_t column) {
    return column < 0 ? 0.0f : factor_of(coefficients[column]);
}

INLINE void add_to(double *sums, int64_t column, double sum) {
    if (column >= 0) sums[column] += sum;
}

/* The region columns from sums of probabilities by label. */
INLINE void add_region(const Call *call, double *sums, double tp, double fp, double fn, double targets, double count) {
    double right = true_positives(tp, fn, targets);
    add_to(sums, call->region[TP], right);
    add_to(sums, call->region[PRED], right + fp);
    add_to(sums, call->region[TARGET], targets);
    add_to(sums, call->region[COUNT], count);
}

/* Sums only by truth: regions, -log p, and -(1 - p)^2 log p. Like soft_block(), for compile-time requests. */
INLINE int soft_block_by_truth(const Call *call, const float *x, const float *t, const float *w, int64_t len, double *sums,
                               const double *coefficients, float *g, const Request request) {
    const vf zero = {0}, one = all(1.0f);
    const Term *log = call->term, *squared = call->term + request.log;
    vf tp = zero, fp = zero, fn = zero, target = zero, count = zero;
    vf log_yes = zero, log_no = zero, squared_yes = zero, squared_no = zero;
    vf g_tp = zero, g_pred = zero, by_log_yes = zero, by_log_no = zero, by_squared_yes = zero, by_squared_no = zero;
    if (request.grad) {
        if (request.region)
            g_tp = all(coefficient_of(coefficients, call->region[TP])), g_pred = all(coefficient_of(coefficients, call->region[PRED]));
        if (request.log) {
            by_log_yes = all((float)log->log * coefficient_of(coefficients, log->truth[0]));
            by_log_no = all((float)log->log * coefficient_of(coefficients, log->truth[1]));
        }
        if (request.squared) {
            by_squared_yes = all((float)squared->log * coefficient_of(coefficients, squared->truth[0]));
            by_squared_no = all((float)squared->log * coefficient_of(coefficients, squared->truth[1]));
        }
    }
    vm invalid = lt(one, zero);
    for (int64_t i = 0; i < len; i += W) {
        vf xi = load(x + i), ti = load(t + i), wi = request.weighted ? load(w + i) : one, other = one - ti;
        invalid = (vm)(invalid | not(both(le(zero, ti), le(ti, one))));
        vf z = exp_below(minus_absolute(xi)), d = reciprocal(one + z), zd = z * d;
        vm below_half = negative(xi);
        vf p = pick(below_half, zd, d), q = pick(below_half, d, zd), slope = zero;
        vf yes = weigh(ti, wi, request.weighted), no = weigh(other, wi, request.weighted); /* weights of both labels */
        if (request.sum) {
            target += yes, count += wi;
            if (request.region) tp = fma_(p, yes, tp), fn = fma_(q, yes, fn), fp = fma_(p, no, fp);
        }
        if (request.region && request.grad) slope = fma_(g_tp, ti, g_pred) * (p * q);
        if ((request.log && request.sum) || request.squared) {
            vf curve = log1p_unit(z);
            vf below = max_or_nan(zero, zero - xi) + curve, above = max_or_nan(zero, xi) + curve; /* -log p, -log q */
            if (request.log && request.sum) { /* where the loss is infinite and its share 0, the product is 0 */
                log_yes += or_zero(eq(ti, zero), below * yes);
                log_no += or_zero(eq(ti, one), above * no);
            }
            if (request.squared) {
                if (request.sum) {
                    squared_yes += or_zero(eq(ti, zero), q * q * below * yes);
                    squared_no += or_zero(eq(ti, one), p * p * above * no);
                }
                if (request.grad) {
                    /* where p is 0 and log p infinite, p log p is 0 */
                    vf bend_yes = or_zero(le(p, zero), p * below), bend_no = or_zero(le(q, zero), q * above);
                    slope -= by_squared_yes * ti * (q * q) * fma_(all(2.0f), bend_yes, q);
                    slope += by_squared_no * other * (p * p) * fma_(all(2.0f), bend_no, p);
                }
            }
        }
        if (request.log && request.grad) slope += by_log_no * other * p - by_log_yes * ti * q;
        if (request.grad) store(g + i, weigh(slope, wi, request.weighted));
    }
    if (!request.sum || any(invalid)) return any(invalid);
    add_region(call, sums, sum_of(tp), sum_of(fp), sum_of(fn), sum_of(target), sum_of(count));
    if (request.log) {
        add_to(sums, log->truth[0], log->log * sum_of(log_yes));
        add_to(sums, log->truth[1], log->log * sum_of(log_no));
    }
    if (request.squared) {
        add_to(sums, squared->truth[0], squared->log * sum_of(squared_yes));
        add_to(sums, squared->truth[1], squared->log * sum_of(squared_no));
    }
    return 0;
}

/* Sums over len elements, len a multiple of W; returns whether any t lies outside [0, 1]. */
static int soft_block(const Call *call, const float *x, const float *t, const float *w, int64_t len, double *sums,
                      const double *coefficients, float *g, const Request request) {
    const vf zero = {0}, one = all(1.0f);
    const Term *terms = call->term;
    vf tp = zero, fp = zero, fn = zero, target = zero, count = zero, pred_sq = zero, target_sq = zero;
    vf tp_l1 = zero, fp_l1 = zero, fn_l1 = zero;
    vf term_sums[MOST_TERMS][4], c_truth[MOST_TERMS][2], c_every[MOST_TERMS][2];
    vf g_tp = zero, g_pred = zero, g_sq = zero;
    float g_tp_l1 = 0, g_fp_l1 = 0, g_fn_l1 = 0;
    for (int j = 0; j < call->terms; j++)
        for (int k = 0; k < 4; k++) term_sums[j][k] = zero;
    if (request.grad) {
        g_tp = all(coefficient_of(coefficients, call->region[TP])), g_pred = all(coefficient_of(coefficients, call->region[PRED]));
        g_sq = all(2 * coefficient_of(coefficients, call->region[PRED_SQ]));
        g_tp_l1 = coefficient_of(coefficients, call->region[TP_L1]);
        g_fp_l1 = coefficient_of(coefficients, call->region[FP_L1]);
        g_fn_l1 = coefficient_of(coefficients, call->region[FN_L1]);
        for (int j = 0; j < call->terms; j++)
            for (int k = 0; k < 2; k++) {
                c_truth[j][k] = all(coefficient_of(coefficients, terms[j].truth[k]));
                c_every[j][k] = all(coefficient_of(coefficients, terms[j].every[k]));
            }
    }
    const int by_truth = request.rows->memory && evaluate_terms(call, request.rows, x, t, len, request.grad);
    vm invalid = lt(one, zero);
    for (int64_t i = 0; i < len; i += W) {
        vf xi = load(x + i), ti = load(t + i), wi = request.weighted ? load(w + i) : one;
        invalid = (vm)(invalid | not(both(le(zero, ti), le(ti, one))));
        vf z = exp_below(minus_absolute(xi)), d = reciprocal(one + z), zd = z * d;
        vm below_half = negative(xi);
        vf p = pick(below_half, zd, d), q = pick(below_half, d, zd);
        vf slope = zero; /* the gradient by x, before multiplication by the weight */
        if (request.sum) {
            target = fma_(ti, wi, target), count += wi;
            if (request.region) {
                /* separate sums of right and wrong, so that neither is lost to rounding */
                tp = fma_(p * wi, ti, tp), fn = fma_(q * wi, ti, fn), fp = fma_(p * wi, one - ti, fp);
            }
        }
        vf difference = pick(eq(ti, one), zero - q, p - ti);
        if (request.squares && request.sum) {
            pred_sq = fma_(p * p, wi, pred_sq);
            target_sq = fma_(ti * ti, wi, target_sq);
            tp_l1 = fma_(pick(lt(difference, zero), p, ti), wi, tp_l1);
            fp_l1 = fma_(max_or_nan(zero, difference), wi, fp_l1);
            fn_l1 = fma_(max_or_nan(zero, zero - difference), wi, fn_l1);
        }
        if (request.grad) {
            slope = fma_(g_sq, p, fma_(g_tp, ti, g_pred));
            slope += l1_slope(difference, g_tp_l1, g_fp_l1, g_fn_l1);
            slope = slope * (p * q);
        }
        if (call->terms) {
            vf curve = log1p_unit(z);
            vf below = max_or_nan(zero, zero - xi) + curve, above = max_or_nan(zero, xi) + curve; /* -log p, -log q */
            for (int j = 0; j < call->terms; j++) {
                const TermRows *rows = request.rows;
                const int no = !by_truth; /* the index of its rows */
                TermValue on = term_at(terms + j, zero - below, p, q, rows->value[j][0], rows->slope[j][0], i);
                TermValue off = term_at(terms + j, zero - above, q, p, rows->value[j][no], rows->slope[j][no], i);
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
        double missing = sum_of(fn_l1);
        add_to(sums, call->region[TP_L1], true_positives(sum_of(tp_l1), missing, sum_of(target)));
        add_to(sums, call->region[FP_L1], sum_of(fp_l1));
        add_to(sums, call->region[FN_L1], missing);
    }
    for (int j = 0; j < call->terms; j++)
        for (int k = 0; k < 2; k++) {
            add_to(sums, terms[j].truth[k], sum_of(term_sums[j][k]));
            add_to(sums, terms[j].every[k], sum_of(term_sums[j][2 + k]));
        }
    return 0;
}

/* Sums and gradient of a term that is a program, over rows of both labels; `no` is the index of negative rows. */
INLINE void formula_sums(const Term *term, const TermRows *rows, int64_t j, int no, const float *t, const float *w, int64_t len,
                         double *sums, const double *coefficients, float *g, int sum, int grad, int weighted, int adds) {
    const vf zero = {0}, one = all(1.0f);
    const float *on = rows->value[j][0], *off = rows->value[j][no], *on_slope = rows->slope[j][0], *off_slope = rows->slope[j][no];
    vf total[4] = {zero, zero, zero, zero}, by_truth[2] = {zero, zero}, by_every[2] = {zero, zero};
    for (int k = 0; k < 2 && grad; k++) {
        by_truth[k] = all(coefficient_of(coefficients, term->truth[k]));
        by_every[k] = all(coefficient_of(coefficients, term->every[k]));
    }
    for (int64_t i = 0; i < len; i += W) {
        vf ti = load(t + i), other = one - ti, wi = one;
        vm never = eq(ti, zero), always = eq(ti, one);
        if (weighted) wi = load(w + i);
        if (sum) {
            vf yes = weigh(load(on + i), wi, weighted), wrong = weigh(load(off + i), wi, weighted);
            total[0] += or_zero(never, yes * ti);
            total[1] += or_zero(always, wrong * other);
            if (no) total[2] += yes, total[3] += wrong;
        }
        if (grad) {
            vf c_on = fma_(by_truth[0], ti, by_every[0]), c_off = fma_(by_truth[1], other, by_every[1]);
            vf slope = or_zero(eq(c_on, zero), c_on * load(on_slope + i) * load(rows->rest[0] + i));
            slope = weigh(slope - or_zero(eq(c_off, zero), c_off * load(off_slope + i) * load(rows->rest[no] + i)), wi, weighted);
            if (adds) slope += load(g + i);
            store(g + i, slope);
        }
    }
    for (int k = 0; k < 2 && sum; k++)
        add_to(sums, term->truth[k], sum_of(total[k])), add_to(sums, term->every[k], sum_of(total[2 + k]));
}

/* The same if all terms are programs, without regions. */
static int formula_block(const Call *call, const float *x, const float *t, const float *w, int64_t len, double *sums,
                         const double *coefficients, float *g, const Request request) {
    const vf zero = {0}, one = all(1.0f);
    TermRows *rows = request.rows;
    vm invalid = lt(one, zero);
    vf target = zero, count = zero;
    for (int64_t i = 0; i < len; i += W) {
        vf ti = load(t + i), wi = one;
        if (request.weighted) wi = load(w + i);
        invalid = (vm)(invalid | not(both(le(zero, ti), le(ti, one))));
        target = fma_(ti, wi, target), count += wi;
    }
    if (any(invalid)) return 1;
    const int no = !evaluate_terms(call, rows, x, t, len, request.grad);
    if (request.sum) add_region(call, sums, 0, 0, 0, sum_of(target), sum_of(count));
    for (int64_t j = 0; j < call->terms; j++)
#define COPY(S, G)                                                                                                     \
    if (request.sum == (S) && request.grad == (G))                                                                     \
        formula_sums(call->term + j, rows, j, no, t, w, len, sums, coefficients, g, S, G, request.weighted, j > 0);
    {
        COPY(1, 1)
        COPY(1, 0)
        COPY(0, 1)
    }
#undef COPY
    return 0;
}

/* Requests with a specialized copy of the code; all others use the general one. */
static int soft_blocks(const Call *call, const float *x, const float *t, const float *w, int64_t len, double *sums,
                       const double *coefficients, float *g, const Request request, int by_truth) {
#define COPY(R, L, Q, S, G) COPY_OF(R, L, Q, S, G, 0) COPY_OF(R, L, Q, S, G, 1)
#define COPY_OF(R, L, Q, S, G, WEIGHTED)                                                                               \
    if (request.region == (R) && request.log == (L) && request.squared == (Q) && request.terms == (Q) &&               \
        request.sum == (S) && request.grad == (G) && request.weighted == (WEIGHTED))                                   \
        return soft_block_by_truth(call, x, t, w, len, sums, coefficients, g,                                          \
                                   (Request){.weighted = WEIGHTED, .region = R, .log = L, .terms = Q, .squared = Q,    \
                                             .sum = S, .grad = G});
    if (by_truth) {
        COPY(1, 0, 0, 1, 0) /* Dice, Jaccard, Tversky */
        COPY(1, 0, 0, 0, 1)
        COPY(0, 1, 0, 1, 1) /* cross-entropy */
        COPY(0, 1, 0, 1, 0)
        COPY(1, 1, 0, 1, 0) /* Dice and cross-entropy */
        COPY(1, 1, 0, 0, 1)
        COPY(0, 0, 1, 1, 1) /* focal */
        COPY(0, 0, 1, 1, 0)
        COPY(1, 0, 1, 1, 0) /* Dice and focal */
        COPY(1, 0, 1, 0, 1)
    }
#undef COPY
#undef COPY_OF
    if (request.formulas) return formula_block(call, x, t, w, len, sums, coefficients, g, request);
    return soft_block(call, x, t, w, len, sums, coefficients, g, request);
}
