/* Elementary functions of W floats. tests/test_native_maths.py bounds the errors in units in the last place for every
 * instruction set: exp 1, expm1, log1p and log 2 (log near 0 relative to 1), reciprocal 0.6, power 128 for a base as
 * small as 1e-20. */
#pragma once
#include "constants.h"
#include "simd.h"

/* (exp(z) - 1 - z) / z^2 for |z| <= log(2) / 2 */
INLINE vf exp_tail(vf z) { return EXP_TAIL(z); }

/* exp(x) for x <= 0; NaN for NaN, 0 below -104. */
INLINE vf exp_below(vf x) {
    x = max_or_nan(all(-104.0f), x);
    vf n = round_(x * 1.44269504f);
    vf z = fma_(n, all(-0.693145752f), x);
    z = fma_(n, all(-1.42860677e-6f), z);
    vf r = fma_(exp_tail(z), z * z, z) + 1.0f;
    return times_two_to(keep(not(le(x, all(-104.0f))), r), n); /* underflow takes a hundred cycles */
}

/* exp(x); infinity above 88.8. */
INLINE vf exp_(vf x) { return exp_below(min_or_nan(all(89.0f), x)); }

/* exp(x) - 1 for x <= 0 */
INLINE vf expm1_(vf x) {
    vf small = fma_(exp_tail(x), x * x, x);
    return pick(lt(all(EXPM1_SMALL), x), small, exp_below(x) - 1.0f);
}

/* log(1 + z) for 0 <= z <= 1 */
INLINE vf log1p_unit(vf z) { return LOG1P_OVER_Z(z) * z; }

/* log(2^exponent) + log_mantissa */
INLINE vf scaled_log(vf exponent, vf log_mantissa) {
    return fma_(exponent, all(0.693359375f), fma_(exponent, all(-2.12194440e-4f), log_mantissa));
}

/* log(a) for a >= 2^-126; NaN for NaN, a large finite value for infinity */
INLINE vf log_(vf a) {
    vf e = exponent_of(a);
    return pick(eq(a, a), scaled_log(e, log1p_unit(mantissa_of(a) - 1.0f)), a);
}

/* log(1 + u) for u >= 0 */
INLINE vf log1p_(vf u) { return pick(le(u, all(1.0f)), log1p_unit(u), log_(u + 1.0f)); }

/* base^exponent for 0 <= base <= 1 and exponent > 0 */
INLINE vf power(vf base, float exponent) {
    if (exponent == 1.0f) return base;
    if (exponent == 2.0f) return base * base;
    if (exponent == 3.0f) return base * base * base;
    if (exponent == 4.0f) return (base * base) * (base * base);
    if (exponent == 0.5f) return square_root(base);
    vf r = exp_below(log_(base) * exponent);
    return pick(lt(base, all(1.17549435e-38f)), base - base, r);
}
