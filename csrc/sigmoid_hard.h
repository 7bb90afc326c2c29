/* Labels of 0 and 1: terms are evaluated only for the actual label, not for the opposite one. */
#pragma once
#include "sigmoid_soft.h"

/* Adds a term of any kind to its sums; returns its slope by the logit, over the probability of the wrong label. */
INLINE vf term_side(const Term *term, vm positive, vf loss, vf right, vf wrong, vf w, vf *sums, const double *coefficients,
                     const Request request) {
    TermValue evaluated = term_value(term, -loss, right, wrong);
    if (request.sum) {
        vf value = weigh(evaluated.value, w, request.weighted);
        sums[0] = add_where(positive, sums[0], value);
        sums[1] = add_where(not(positive), sums[1], value);
    }
    if (!request.grad) return (vf){0};
    return evaluated.slope *
           pick(positive, all(coefficient_of(coefficients, term->truth[0])), all(-coefficient_of(coefficients, term->truth[1])));
}

/* Sums over len elements, len a multiple of W; returns whether any t is neither 0 nor 1. */
INLINE int hard_block(const Call *call, const float *x, const float *t, const float *w, int64_t len, double *sums,
                      const double *coefficients, float *g, const Request request) {
    const vf zero = {0}, one = all(1.0f);
    const Term *terms = call->term;
    const int product = request.log && !request.terms && !request.weighted;
    vf tp = zero, fp = zero, fn = zero, target = zero, count = zero;
    vf yes = zero, no = zero, product_yes = zero, product_no = zero, squared_yes = zero, squared_no = zero;
    vf term_sums[MOST_TERMS][2];
    if (request.terms && !request.squared)
        for (int j = 0; j < call->terms; j++) term_sums[j][0] = term_sums[j][1] = zero;
    vf region_yes = zero, region_no = zero, log_yes = zero, log_no = zero, by_yes = zero, by_no = zero;
    if (request.grad && request.region) {
        float pred = coefficient_of(coefficients, call->region[PRED]);
        region_yes = all(pred + coefficient_of(coefficients, call->region[TP])), region_no = all(pred);
    }
    if (request.grad && request.log) {
        log_yes = all(-(float)terms[0].log * coefficient_of(coefficients, terms[0].truth[0]));
        log_no = all((float)terms[0].log * coefficient_of(coefficients, terms[0].truth[1]));
    }
    const Term *squared = terms + request.log;
    if (request.grad && request.squared) {
        by_yes = all(-(float)squared->log * coefficient_of(coefficients, squared->truth[0]));
        by_no = all((float)squared->log * coefficient_of(coefficients, squared->truth[1]));
    }
    vi not_binary = {0};
    for (int64_t i = 0; i < len; i += W) {
        vf xi = load(x + i), ti = load(t + i), wi = request.weighted ? load(w + i) : one;
        vm positive = ones(ti, &not_binary);
        vf s = negate_where(positive, xi); /* the logit of the wrong label */
        vm correct = negative(s);
        vf z = exp_below(minus_absolute(xi)), d = reciprocal(one + z), zd = z * d;
        vf wrong = pick(correct, zd, d), right = pick(correct, d, zd);
        /* -log of the probability of the true label; the gradient by x, without the factors `wrong` and weight */
        vf loss = zero, slope = zero;
        if (request.sum) {
            target += weigh(ti, wi, request.weighted);
            if (request.weighted) count += wi;
        }
        if (request.sum && request.region) {
            /* separate sums of right and wrong, so that neither is lost to rounding */
            vf weighed = weigh(wrong, wi, request.weighted);
            tp = add_where(positive, tp, weigh(right, wi, request.weighted));
            fn = add_where(positive, fn, weighed);
            fp = add_where(not(positive), fp, weighed);
        }
        if (product && request.sum) {
            /* the product of 1 + z, minus 1 to keep small z; one logarithm per 32 factors */
            vf line = max_or_nan(zero, s);
            yes = add_where(positive, yes, line);
            no = add_where(not(positive), no, line);
            product_yes = fma_where(positive, product_yes + one, z, product_yes);
            product_no = fma_where(not(positive), product_no + one, z, product_no);
            if ((i / W) % 32 == 31) {
                yes += log1p_(product_yes), no += log1p_(product_no);
                product_yes = product_no = zero;
            }
        } else if (request.terms || (request.log && request.sum))
            loss = max_or_nan(zero, s) + log1p_unit(z);
        if (request.log && request.sum && !product) {
            vf value = weigh(loss, wi, request.weighted);
            yes = add_where(positive, yes, value);
            no = add_where(not(positive), no, value);
        }
        if (request.region && request.grad) slope = pick(positive, region_yes, region_no) * right;
        if (request.log && request.grad) slope += pick(positive, log_yes, log_no);
        if (request.squared) {
            vf square = wrong * wrong;
            if (request.sum) {
                vf value = weigh(square, wi, request.weighted);
                squared_yes = fma_where(positive, value, loss, squared_yes);
                squared_no = fma_where(not(positive), value, loss, squared_no);
            }
            if (request.grad) {
                /* where the probability of the true label is 0 and its loss infinite, their product is 0 */
                vf bend = or_zero(le(right, zero), right * loss);
                slope = fma_(pick(positive, by_yes, by_no) * wrong, fma_(all(2.0f), bend, wrong), slope);
            }
        } else if (request.terms)
            for (int j = request.log; j < call->terms; j++) {
                vf added = term_side(terms + j, positive, loss, right, wrong, wi, term_sums[j], coefficients, request);
                if (request.grad) slope += added;
            }
        slope = slope * wrong;
        if (request.save_activations) slope = negate_where(positive, weigh(wrong, right, !request.log));
        if (request.grad || request.save_activations) store(g + i, weigh(slope, wi, request.weighted));
    }
    if (!request.sum || any_bit(not_binary)) return any_bit(not_binary);
    double counted = request.weighted ? sum_of(count) : (double)len;
    add_region(call, sums, sum_of(tp), sum_of(fp), sum_of(fn), sum_of(target), counted);
    if (request.log) {
        yes += log1p_(product_yes), no += log1p_(product_no);
        add_to(sums, terms[0].truth[0], terms[0].log * sum_of(yes));
        add_to(sums, terms[0].truth[1], terms[0].log * sum_of(no));
    }
    if (request.squared) {
        add_to(sums, squared->truth[0], squared->log * sum_of(squared_yes));
        add_to(sums, squared->truth[1], squared->log * sum_of(squared_no));
    } else if (request.terms)
        for (int j = request.log; j < call->terms; j++)
            for (int k = 0; k < 2; k++) add_to(sums, terms[j].truth[k], sum_of(term_sums[j][k]));
    return 0;
}

/* Requests with a specialized copy of the code; all others use the general one. */
static int hard_blocks(const Call *call, const float *x, const float *t, const float *w, int64_t len, double *sums,
                       const double *coefficients, float *g, const Request request) {
#define ARGUMENTS call, x, t, w, len, sums, coefficients, g
#define COPY(R, L, T, S, G, A) COPY_OF(R, L, T, S, G, A, 0) COPY_OF(R, L, T, S, G, A, 1)
#define COPY_OF(R, L, T, S, G, A, WEIGHTED)                                                                            \
    if (request.region == (R) && request.log == (L) && request.terms == (T) && request.squared == (T) &&               \
        request.sum == (S) && request.grad == (G) && request.save_activations == (A) &&                                \
        request.weighted == (WEIGHTED))                                                                                \
        return hard_block(ARGUMENTS, (Request){.weighted = WEIGHTED, .region = R, .log = L, .terms = T, .squared = T,  \
                                               .sum = S, .grad = G, .save_activations = A});
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
    return hard_block(ARGUMENTS, request);
#undef ARGUMENTS
}

/* Converts the activations saved by hard_block() to the gradient, in place. */
static void gradient_from_activations(const Call *call, int64_t len, const double *coefficients, float *g) {
    const Term *term = call->term;
    const int log = call->terms > 0;
    float pred = coefficient_of(coefficients, call->region[PRED]), tp = coefficient_of(coefficients, call->region[TP]);
    const vf yes = all(-(pred + tp)), no = all(pred), one = all(1.0f);
    const vf log_yes = all(log ? (float)term->log * coefficient_of(coefficients, term->truth[0]) : 0.0f);
    const vf log_no = all(log ? (float)term->log * coefficient_of(coefficients, term->truth[1]) : 0.0f);
    for (int64_t i = 0; i < len; i += W) {
        vf saved = load(g + i); /* |p - t| or, without a logarithm, p (1 - p); negative where the label is 1 */
        vm positive = negative(saved);
        vf slope = pick(positive, yes, no);
        if (log) slope = fma_(one + minus_absolute(saved), slope, pick(positive, log_yes, log_no));
        store(g + i, saved * slope);
    }
}
