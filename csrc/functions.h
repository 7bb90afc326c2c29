/* Elementary functions of W floats on the whole real line, for arbitrary formulas; those of maths.h cover part of it.
 * Results for infinity, zero and NaN match the C library. tests/test_native_maths.py bounds the errors in units in the
 * last place: power 24 (130 without fused multiply-add), all others 4. */
#pragma once
#include "maths.h"

/* log(2^e (1 + z)) as a sum of two floats, for finite a > 0; for 0, infinity and NaN the first is the result. */
INLINE void log_parts(vf a, vf *high, vf *low) {
    vm tiny = lt(a, all(1.17549435e-38f));
    vf normal = pick(tiny, a * 8388608.0f, a), e = exponent_of(normal) - keep(tiny, all(23.0f));
    vf m = mantissa_of(normal);
    vm upper = lt(all(1.41421356f), m);
    e += keep(upper, all(1.0f));
    vf z = pick(upper, m * 0.5f, m) - 1.0f, t = e * 0.693359375f;
    vf first = t + z, rest = ((t - first) + z) + fma_(LOG_TAIL(z) * z - 0.5f, z * z, e * -2.12194440e-4f);
    *high = first + rest;
    *low = rest - (*high - first);
}

INLINE vf log_whole(vf a) {
    vf high, low;
    log_parts(a, &high, &low);
    vf r = pick(lt(a, all(INFINITY)), high + low, a); /* keeps infinity and NaN */
    return pick(lt((vf){0}, a), r, pick(eq(a, (vf){0}), all(-INFINITY), pick(eq(a, a), all(NAN), a)));
}

/* Corrects the logarithm for the rounding of 1 + u. */
INLINE vf log1p_whole(vf u) {
    vf w = u + 1.0f, r = log_whole(w);
    vf corrected = r + (u - (w - 1.0f)) / w;
    return pick(eq(w, all(1.0f)), u, pick(lt(absolute(r), all(INFINITY)), corrected, r));
}

INLINE vf expm1_whole(vf x) {
    return pick(lt(absolute(x), all(-EXPM1_SMALL)), fma_(exp_tail(x), x * x, x), exp_(x) - 1.0f);
}

INLINE vf with_sign_of(vf magnitude, vf sign) {
    return (vf)(((vi)magnitude & 0x7fffffff) | ((vi)sign & (int32_t)0x80000000));
}

INLINE vf tanh_whole(vf x) {
    vf t = expm1_(absolute(x) * -2.0f);
    return with_sign_of(t / (t + 2.0f), x);
}

INLINE vf sigmoid_whole(vf x) {
    vf z = exp_below(minus_absolute(x)), d = 1.0f / (z + 1.0f);
    return pick(negative(x), z * d, d);
}

INLINE vf cosh_whole(vf x) {
    vf half = exp_(absolute(x) * 0.5f);
    return half * 0.5f * half + 0.5f / half / half;
}

INLINE vf sinh_whole(vf x) {
    vf size = absolute(x), half = exp_(size * 0.5f), t = expm1_whole(size);
    return with_sign_of(pick(lt(size, all(20.0f)), (t + t / (t + 1.0f)) * 0.5f, half * 0.5f * half), x);
}

INLINE vf floor_whole(vf a) {
#if defined(SIMD_AVX512)
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
#elif defined(SIMD_AVX2)
    return _mm256_floor_ps(a);
#else
    for (int i = 0; i < W; i++) a[i] = floorf(a[i]);
    return a;
#endif
}

/* Half to even. */
INLINE vf round_whole(vf a) {
    vf size = absolute(a), whole = (size + 8388608.0f) - 8388608.0f;
    return pick(lt(size, all(8388608.0f)), with_sign_of(whole, a), a);
}

INLINE vf sign_of(vf a) {
    return keep(lt((vf){0}, a), all(1.0f)) - keep(lt(a, (vf){0}), all(1.0f));
}

/* base^exponent; for a negative base, negative for odd exponents and NaN for fractional ones. */
INLINE vf power_whole(vf base, vf exponent) {
    const vf zero = {0}, one = all(1.0f), infinity = all(INFINITY);
    vf size = absolute(base), high, low;
    log_parts(size, &high, &low);
    high = pick(lt(size, infinity), high, size), low = keep(lt(size, infinity), low);
    high = pick(eq(size, zero), zero - infinity, high), low = keep(lt(zero, size), low);
    vf product = high * exponent, rest = fma_(high, exponent, zero - product) + low * exponent;
    rest = keep(lt(absolute(product), infinity), rest);
    vf r = exp_(product);
    r = pick(lt(r, infinity), fma_(r, rest, r), r);
    vm whole = eq(floor_whole(exponent), exponent), odd = not(eq(floor_whole(exponent * 0.5f) * 2.0f, exponent));
    vm below = lt(base, zero);
    r = pick(both(below, not(whole)), pick(lt(size, infinity), all(NAN), r), r);
    r = pick(both(whole, odd), with_sign_of(r, base), r);
    r = pick(eq(base, base), r, base);
    r = pick(both(eq(size, one), eq(absolute(exponent), infinity)), one, r); /* as in C for a base of -1 */
    return pick(eq(base, one), one, pick(eq(exponent, zero), one, r));
}
