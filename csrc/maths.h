/* Elementary functions of W floats. The largest errors in units in the last place, whichever instructions, are held by
 * tests/test_native_maths.py: exp 1, expm1, log1p and log 2 (log beside 1 where it is nearly 0), reciprocal 0.6;
 * power 128, for a base as small as 1e-20. */
#pragma once
#include "simd.h"

/* exp(z) - 1 - z, over z^2, for |z| <= log(2) / 2 */
INLINE vf exp_tail(vf z) {
    vf r = all(0.000198909809f);
    r = fma_(r, z, all(0.00139336416f));
    r = fma_(r, z, all(0.00833331048f));
    r = fma_(r, z, all(0.0416664667f));
    r = fma_(r, z, all(0.166666672f));
    return fma_(r, z, all(0.5f));
}

/* exp(x) for x <= 0; NaN stays NaN, below -104 the answer is 0. */
INLINE vf exp_below(vf x) {
    x = max_or_nan(all(-104.0f), x);
    vf n = round_(x * 1.44269504f);
    vf z = fma_(n, all(-0.693145752f), x);
    z = fma_(n, all(-1.42860677e-6f), z);
    vf r = fma_(exp_tail(z), z * z, z) + 1.0f;
    return times_two_to(r, n);
}

/* exp(x); above 88.8 the answer is infinity. */
INLINE vf exp_(vf x) { return exp_below(min_or_nan(all(89.0f), x)); }

/* exp(x) - 1 for x <= 0 */
INLINE vf expm1_(vf x) {
    vf small = fma_(exp_tail(x), x * x, x);
    return pick(lt(all(-0.34f), x), small, exp_below(x) - 1.0f);
}

/* log(1 + z) for 0 <= z <= 1 */
INLINE vf log1p_unit(vf z) {
    vf r = all(-0.00317605701f);
    r = fma_(r, z, all(0.0195425265f));
    r = fma_(r, z, all(-0.0563736111f));
    r = fma_(r, z, all(0.105436236f));
    r = fma_(r, z, all(-0.152696669f));
    r = fma_(r, z, all(0.196632743f));
    r = fma_(r, z, all(-0.249516159f));
    r = fma_(r, z, all(0.333297104f));
    r = fma_(r, z, all(-0.499998927f));
    return fma_(r, z, all(1.0f)) * z;
}

/* log(a) for a >= 2^-126; NaN stays NaN, infinity is large */
INLINE vf log_(vf a) {
    vf e = exponent_of(a);
    vf l = log1p_unit(mantissa_of(a) - 1.0f);
    vf r = fma_(e, all(0.693359375f), fma_(e, all(-2.12194440e-4f), l));
    return pick(eq(a, a), r, a);
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
