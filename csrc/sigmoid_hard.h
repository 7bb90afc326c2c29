/* Labels of 0 and 1: only the side of the truth is priced. */
#pragma once
#include "sigmoid_soft.h"

/* What a term of any kind adds to its sums, and its slope by the logit over the wrong side's probability. */
INLINE vf price_side(const Term *term, vm positive, vf loss, vf right, vf wrong, vf w, vf *sums, const double *coefficients,
                     const Ask ask) {
    Priced priced = price(term, -loss, right, wrong);
    if (ask.sum) {
        vf value = weigh(priced.value, w, ask.weighted);
        sums[0] = add_where(positive, sums[0], value);
        sums[1] = add_where(not(positive), sums[1], value);
    }
    if (!ask.grad) return (vf){0};
    return priced.slope *
           pick(positive, all(coefficient_of(coefficients, term->truth[0])), all(-coefficient_of(coefficients, term->truth[1])));
}

/* The sums of len elements, len a multiple of W; whether a t is neither 0 nor 1. */
INLINE int hard_block(const Call *call, const float *x, const float *t, const float *w, int64_t len, double *sums,
                      const double *coefficients, float *g, const Ask ask) {
    const vf zero = {0}, one = all(1.0f);
    const Term *terms = call->term;
    const int product = ask.log && !ask.terms && !ask.weighted;
    vf tp = zero, fp = zero, fn = zero, target = zero, count = zero;
    vf yes = zero, no = zero, product_yes = zero, product_no = zero, squared_yes = zero, squared_no = zero;
    vf term_sums[MOST_TERMS][2];
    if (ask.terms && !ask.squared)
        for (int j = 0; j < call->terms; j++) term_sums[j][0] = term_sums[j][1] = zero;
    vf region_yes = zero, region_no = zero, log_yes = zero, log_no = zero, by_yes = zero, by_no = zero;
    if (ask.grad && ask.region) {
        float pred = coefficient_of(coefficients, call->region[PRED]);
        region_yes = all(pred + coefficient_of(coefficients, call->region[TP])), region_no = all(pred);
    }
    if (ask.grad && ask.log) {
        log_yes = all(-(float)terms[0].log * coefficient_of(coefficients, terms[0].truth[0]));
        log_no = all((float)terms[0].log * coefficient_of(coefficients, terms[0].truth[1]));
    }
    const Term *squared = terms + ask.log;
    if (ask.grad && ask.squared) {
        by_yes = all(-(float)squared->log * coefficient_of(coefficients, squared->truth[0]));
        by_no = all((float)squared->log * coefficient_of(coefficients, squared->truth[1]));
    }
    vi odd = {0};
    for (int64_t i = 0; i < len; i += W) {
        vf xi = load(x + i), ti = load(t + i), wi = ask.weighted ? load(w + i) : one;
        vm positive = ones(ti, &odd);
        vf s = negate_where(positive, xi); /* the logit of the wrong side */
        vm sound = negative(s);
        vf z = exp_below(minus_absolute(xi)), d = reciprocal(one + z), zd = z * d;
        vf wrong = pick(sound, zd, d), right = pick(sound, d, zd);
        /* -log of the right side's probability; the gradient by x, over `wrong` until the end and but for the weight */
        vf loss = zero, slope = zero;
        if (ask.sum) {
            target += weigh(ti, wi, ask.weighted);
            if (ask.weighted) count += wi;
        }
        if (ask.sum && ask.region) {
            /* right and wrong apart: neither is lost beside the other */
            vf weighed = weigh(wrong, wi, ask.weighted);
            tp = add_where(positive, tp, weigh(right, wi, ask.weighted));
            fn = add_where(positive, fn, weighed);
            fp = add_where(not(positive), fp, weighed);
        }
        if (product && ask.sum) {
            /* the product of 1 + z, less 1, so that small z are not lost; its logarithm once in 32 */
            vf line = max_or_nan(zero, s);
            yes = add_where(positive, yes, line);
            no = add_where(not(positive), no, line);
            product_yes = fma_where(positive, product_yes + one, z, product_yes);
            product_no = fma_where(not(positive), product_no + one, z, product_no);
            if ((i / W) % 32 == 31) {
                yes += log1p_(product_yes), no += log1p_(product_no);
                product_yes = product_no = zero;
            }
        } else if (ask.terms || (ask.log && ask.sum))
            loss = max_or_nan(zero, s) + log1p_unit(z);
        if (ask.log && ask.sum && !product) {
            vf value = weigh(loss, wi, ask.weighted);
            yes = add_where(positive, yes, value);
            no = add_where(not(positive), no, value);
        }
        if (ask.region && ask.grad) slope = pick(positive, region_yes, region_no) * right;
        if (ask.log && ask.grad) slope += pick(positive, log_yes, log_no);
        if (ask.squared) {
            vf square = wrong * wrong;
            if (ask.sum) {
                vf value = weigh(square, wi, ask.weighted);
                squared_yes = fma_where(positive, value, loss, squared_yes);
                squared_no = fma_where(not(positive), value, loss, squared_no);
            }
            if (ask.grad) {
                /* where the right side's probability is 0 and its loss infinite, their product is 0 */
                vf bend = or_zero(le(right, zero), right * loss);
                slope = fma_(pick(positive, by_yes, by_no) * wrong, fma_(all(2.0f), bend, wrong), slope);
            }
        } else if (ask.terms)
            for (int j = ask.log; j < call->terms; j++) {
                vf added = price_side(terms + j, positive, loss, right, wrong, wi, term_sums[j], coefficients, ask);
                if (ask.grad) slope += added;
            }
        slope = slope * wrong;
        if (ask.parts) slope = negate_where(positive, weigh(wrong, right, !ask.log));
        if (ask.grad || ask.parts) store(g + i, weigh(slope, wi, ask.weighted));
    }
    if (!ask.sum || any_bit(odd)) return any_bit(odd);
    double counted = ask.weighted ? sum_of(count) : (double)len;
    add_region(call, sums, sum_of(tp), sum_of(fp), sum_of(fn), sum_of(target), counted);
    if (ask.log) {
        yes += log1p_(product_yes), no += log1p_(product_no);
        add_to(sums, terms[0].truth[0], terms[0].log * sum_of(yes));
        add_to(sums, terms[0].truth[1], terms[0].log * sum_of(no));
    }
    if (ask.squared) {
        add_to(sums, squared->truth[0], squared->log * sum_of(squared_yes));
        add_to(sums, squared->truth[1], squared->log * sum_of(squared_no));
    } else if (ask.terms)
        for (int j = ask.log; j < call->terms; j++)
            for (int k = 0; k < 2; k++) add_to(sums, terms[j].truth[k], sum_of(term_sums[j][k]));
    return 0;
}

/* The asks that have a copy of the code to themselves; anything else runs in a general one. */
static int hard_blocks(const Call *call, const float *x, const float *t, const float *w, int64_t len, double *sums,
                       const double *coefficients, float *g, const Ask ask) {
#define ARGUMENTS call, x, t, w, len, sums, coefficients, g
#define COPY(R, L, T, S, G, P) COPY_OF(R, L, T, S, G, P, 0) COPY_OF(R, L, T, S, G, P, 1)
#define COPY_OF(R, L, T, S, G, P, WEIGHTED)                                                                            \
    if (ask.region == (R) && ask.log == (L) && ask.terms == (T) && ask.squared == (T) && ask.sum == (S) &&             \
        ask.grad == (G) && ask.parts == (P) && ask.weighted == (WEIGHTED))                                             \
        return hard_block(ARGUMENTS, (Ask){.weighted = WEIGHTED, .region = R, .log = L, .terms = T, .squared = T,      \
                                           .sum = S, .grad = G, .parts = P});
    COPY(1, 0, 0, 1, 0, 1) /* Dice, Jaccard, Tversky */
    COPY(1, 0, 0, 1, 0, 0)
    COPY(1, 0, 0, 0, 1, 0)
    COPY(0, 1, 0, 1, 1, 0) /* cross-entropy */
    COPY(0, 1, 0, 1, 0, 0)
    COPY(1, 1, 0, 1, 0, 1) /* Dice and cross-entropy */
    COPY(1, 1, 0, 1, 0, 0)
    COPY(1, 1, 0, 0, 1, 0)
    COPY(0, 0, 1, 1, 1, 0) /* focal */
    COPY(0, 0, 1, 1, 0, 0)
    COPY(1, 0, 1, 1, 0, 0) /* Dice and focal */
    COPY(1, 0, 1, 0, 1, 0)
#undef COPY
#undef COPY_OF
    return hard_block(ARGUMENTS, ask);
#undef ARGUMENTS
}

/* From parts, as hard_block() left them, to the gradient, in place. */
static void join_parts(const Call *call, int64_t len, const double *coefficients, float *g) {
    const Term *term = call->term;
    const int log = call->terms > 0;
    float pred = coefficient_of(coefficients, call->region[PRED]), tp = coefficient_of(coefficients, call->region[TP]);
    const vf yes = all(-(pred + tp)), no = all(pred), one = all(1.0f);
    const vf log_yes = all(log ? (float)term->log * coefficient_of(coefficients, term->truth[0]) : 0.0f);
    const vf log_no = all(log ? (float)term->log * coefficient_of(coefficients, term->truth[1]) : 0.0f);
    for (int64_t i = 0; i < len; i += W) {
        vf part = load(g + i); /* negative where the label is 1 */
        vm positive = negative(part);
        vf slope = pick(positive, yes, no);
        if (log) slope = fma_(one + minus_absolute(part), slope, pick(positive, log_yes, log_no));
        store(g + i, part * slope);
    }
}
