/* f(log p) and its slope, given log p, p and 1 - p, so that none has to be computed from another. */
#pragma once
#include "call.h"
#include "maths.h"

typedef struct {
    vf value, slope; /* f, and df / d log p */
} TermValue;

/* TP, from FN if that is smaller, to reduce rounding. */
INLINE double true_positives(double tp, double fn, double target) { return fn < tp ? target - fn : tp; }

/* The slope by p of the columns tp_l1, fp_l1 and fn_l1, from p - t; the mean of both sides where p = t. */
INLINE vf l1_slope(vf difference, float tp, float fp, float fn) {
    vf below = all(tp - fn), above = all(fp), zero = {0};
    return pick(lt(difference, zero), below, pick(lt(zero, difference), above, (below + above) * 0.5f));
}

INLINE int is_log(const Term *term) { return !term->program && term->gamma == 0 && term->rest == 0; }

/* Whether the slope depends on log p, which is inaccurate if computed from a p near 0. */
INLINE int slope_takes_log(const Term *term) { return term->program || (term->rest != 0 && term->q != 1); }

INLINE TermValue term_value(const Term *term, vf l, vf p, vf q) {
    float a = (float)term->log, gamma = (float)term->gamma, b = (float)term->rest, e = (float)term->q;
    vf value = {0}, slope = {0};
    if (a != 0 && gamma == 0) {
        value = l * -a;
        slope = all(-a);
    } else if (a != 0) {
        vf power_ = power(q, gamma);
        vf power_slope = gamma == 1.0f   ? all(1.0f)
                         : gamma == 2.0f ? q
                                         : pick(lt(q, all(1.17549435e-38f)), all(0.0f), power_ * reciprocal(q));
        value = power_ * l * -a;
        /* where p is 0 and log p infinite, p log p is 0 */
        slope = fma_(power_slope * gamma, or_zero(le(p, all(0.0f)), p * l), all(0.0f) - power_) * a;
    }
    if (b != 0 && e == 1.0f) {
        value += q * b;
        slope -= p * b;
    } else if (b != 0) {
        value += expm1_(l * e) * (-b / e);
        slope -= exp_below(l * e) * b;
    }
    return (TermValue){value, slope};
}
