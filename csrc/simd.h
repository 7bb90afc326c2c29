/* Vectors of W floats: GCC vectors, and intrinsics where they are faster. Included once per instruction set. */
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(SIMD_AVX512)
#include <immintrin.h>
#define W 16
#elif defined(SIMD_AVX2)
#include <immintrin.h>
#define W 8
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#define W 4
#else
#define W 4
#endif

#define INLINE static inline __attribute__((always_inline, unused))

typedef float vf __attribute__((vector_size(W * 4), may_alias));
typedef int32_t vi __attribute__((vector_size(W * 4), may_alias));
typedef float vf_any __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef int32_t vi_any __attribute__((vector_size(W * 4), aligned(4), may_alias));

INLINE vf load(const float *p) { return *(const vf_any *)p; }
INLINE vi load_int(const int32_t *p) { return *(const vi_any *)p; }
INLINE void store(float *p, vf v) { *(vf_any *)p = v; }
INLINE vf all(float x) { return x - (vf){0}; }
INLINE vi all_int(int32_t x) { return x - (vi){0}; }

#if defined(SIMD_AVX512)
typedef __mmask16 vm;
INLINE vm lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE vm le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
INLINE vm eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
INLINE vm eq_int(vi a, vi b) { return _mm512_cmpeq_epi32_mask((__m512i)a, (__m512i)b); }
INLINE vm le_int(vi a, vi b) { return _mm512_cmple_epi32_mask((__m512i)a, (__m512i)b); }
INLINE vm both(vm a, vm b) { return a & b; }
INLINE vm not(vm a) { return ~a; }
INLINE int any(vm a) { return a != 0; }
INLINE vf pick(vm m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
INLINE vf keep(vm m, vf yes) { return _mm512_maskz_mov_ps(m, yes); }
INLINE vf add_where(vm m, vf a, vf b) { return _mm512_mask_add_ps(a, m, a, b); }
INLINE vf multiply_where(vm m, vf a, vf b) { return _mm512_mask_mul_ps(a, m, a, b); }
INLINE vf negate_where(vm m, vf a) { return _mm512_mask_xor_ps(a, m, a, all(-0.0f)); }
/* a b + c where m, else c */
INLINE vf fma_where(vm m, vf a, vf b, vf c) { return _mm512_mask3_fmadd_ps(a, b, c, m); }
/* by the sign bit */
INLINE vm negative(vf a) { return _mm512_movepi32_mask((__m512i)a); }
/* Where t is 1. Sets a bit of `not_binary` if t is neither 0 nor 1; the result is then invalid. */
INLINE vm ones(vf t, vi *not_binary) {
    vm set = _mm512_test_epi32_mask((__m512i)t, (__m512i)t);
    *not_binary = (vi)_mm512_mask_ternarylogic_epi32((__m512i)*not_binary, set, (__m512i)t, (__m512i)all(1.0f), 0xf6); /* a | (b ^ c) */
    return set;
}
INLINE int any_bit(vi a) { return _mm512_test_epi32_mask((__m512i)a, (__m512i)a) != 0; }
INLINE int count_of(vm a) { return __builtin_popcount(a); }
/* The result is the second operand if either is NaN. */
INLINE vf max_or_nan(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf min_or_nan(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vf fma_(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf absolute(vf a) { return _mm512_abs_ps(a); }
INLINE vf square_root(vf a) { return _mm512_sqrt_ps(a); }
INLINE vf round_(vf a) { return _mm512_roundscale_ps(a, 0); }
INLINE vf times_two_to(vf a, vf n) { return _mm512_scalef_ps(a, n); }
/* for 2^-126 to 2^126; NaN for NaN */
INLINE vf reciprocal(vf a) {
    vf r = _mm512_rcp14_ps(a);
    return _mm512_fmadd_ps(r, _mm512_fnmadd_ps(a, r, all(1.0f)), r);
}
INLINE float sum_of(vf a) { return _mm512_reduce_add_ps(a); }
INLINE void stream(float *p, vf v) { _mm512_stream_ps(p, v); }
INLINE vf gather(const float *base, vi at) { return _mm512_i32gather_ps((__m512i)at, base, 4); }
#else
typedef vi vm;
INLINE vm lt(vf a, vf b) { return a < b; }
INLINE vm le(vf a, vf b) { return a <= b; }
INLINE vm eq(vf a, vf b) { return a == b; }
INLINE vm eq_int(vi a, vi b) { return a == b; }
INLINE vm le_int(vi a, vi b) { return a <= b; }
INLINE vm both(vm a, vm b) { return a & b; }
INLINE vm not(vm a) { return ~a; }
INLINE vf keep(vm m, vf yes) { return (vf)((vi)yes & m); }
INLINE vf add_where(vm m, vf a, vf b) { return a + keep(m, b); }
INLINE vf negate_where(vm m, vf a) { return (vf)((vi)a ^ (m & (int32_t)0x80000000)); }
INLINE vm negative(vf a) { return (vi)a >> 31; }
INLINE vm ones(vf t, vi *not_binary) {
    vm one = t == all(1.0f);
    *not_binary |= (vi)t & ~one;
    return one;
}
INLINE vf absolute(vf a) { return (vf)((vi)a & 0x7fffffff); }
INLINE vf times_two_to(vf a, vf n) {
    /* in two steps, so that results below 2^-126 round correctly */
    vi k = __builtin_convertvector(n, vi), half = k >> 1;
    vf once = (vf)((half + 127) << 23), twice = (vf)((k - half + 127) << 23);
    return a * once * twice;
}
#if defined(SIMD_AVX2)
INLINE int any(vm a) { return _mm256_movemask_ps((__m256)a) != 0; }
INLINE vf pick(vm m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, (vf)m); }
INLINE vf max_or_nan(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf min_or_nan(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vf fma_(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf square_root(vf a) { return _mm256_sqrt_ps(a); }
INLINE vf round_(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE void stream(float *p, vf v) { _mm256_stream_ps(p, v); }
INLINE vf gather(const float *base, vi at) { return _mm256_i32gather_ps(base, (__m256i)at, 4); }
#else
INLINE int any(vm a) {
    int32_t found = 0;
    for (int i = 0; i < W; i++) found |= a[i];
    return found != 0;
}
INLINE vf pick(vm m, vf yes, vf no) { return (vf)(((vi)yes & m) | ((vi)no & ~m)); }
INLINE vf max_or_nan(vf a, vf b) { return pick(a > b, a, b); }
INLINE vf min_or_nan(vf a, vf b) { return pick(a < b, a, b); }
#if defined(__ARM_NEON)
INLINE vf fma_(vf a, vf b, vf c) { return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
INLINE vf square_root(vf a) { return (vf)vsqrtq_f32((float32x4_t)a); }
#else
INLINE vf fma_(vf a, vf b, vf c) { return a * b + c; }
INLINE vf square_root(vf a) {
    for (int i = 0; i < W; i++) a[i] = sqrtf(a[i]);
    return a;
}
#endif
INLINE vf round_(vf a) { /* |a| < 2^22 */
    vf magic = all(12582912.0f);
    return (a + magic) - magic;
}
INLINE void stream(float *p, vf v) { *(vf *)p = v; }
INLINE vf gather(const float *base, vi at) {
    vf r;
    for (int i = 0; i < W; i++) r[i] = base[at[i]];
    return r;
}
#endif
INLINE vf multiply_where(vm m, vf a, vf b) { return pick(m, a * b, a); }
INLINE vf fma_where(vm m, vf a, vf b, vf c) { return pick(m, fma_(a, b, c), c); }
INLINE int any_bit(vi a) { return any((vm)(a != 0)); }
INLINE int count_of(vm a) {
#if defined(SIMD_AVX2)
    return __builtin_popcount((unsigned)_mm256_movemask_ps((__m256)a));
#else
    int32_t count = 0;
    for (int i = 0; i < W; i++) count -= a[i];
    return count;
#endif
}
INLINE vf reciprocal(vf a) { return 1.0f / a; }
INLINE float sum_of(vf a) {
    float s[W];
    memcpy(s, &a, sizeof s);
    for (int half = W / 2; half; half /= 2)
        for (int i = 0; i < half; i++) s[i] += s[i + half];
    return s[0];
}
#endif

/* From the bits, for every instruction set: the AVX-512 exponent of 0 is -infinity, which would lead to NaN. */
INLINE vf exponent_of(vf a) { return __builtin_convertvector(((vi)a >> 23) - 127, vf); }
INLINE vf mantissa_of(vf a) { return (vf)(((vi)a & 0x007fffff) | 0x3f800000); }

/* Transposes W rows of W floats: every stage interleaves the two halves of the rows. */
#if W == 16
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif W == 8
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#endif
INLINE void transpose_square(vf *rows) {
#pragma GCC unroll 4
    for (int stage = 1; stage < W; stage *= 2) {
        vf interleaved[W];
#pragma GCC unroll 8
        for (int k = 0; k < W / 2; k++) {
            interleaved[2 * k] = __builtin_shufflevector(rows[k], rows[k + W / 2], LOW);
            interleaved[2 * k + 1] = __builtin_shufflevector(rows[k], rows[k + W / 2], HIGH);
        }
#pragma GCC unroll 16
        for (int k = 0; k < W; k++) rows[k] = interleaved[k];
    }
}
#undef LOW
#undef HIGH

INLINE vf minus_absolute(vf a) { return (vf)((vi)a | (int32_t)0x80000000); }

/* Makes streamed rows visible to other threads. */
INLINE void fence(void) {
#if defined(SIMD_AVX512) || defined(SIMD_AVX2)
    _mm_sfence();
#endif
}

/* table[at], arbitrary if `at` is out of range; up to 32 floats of the table may be read. */
INLINE vf lookup(const float *table, int64_t size, vi at) {
#if defined(SIMD_AVX512)
    if (size <= 16) return _mm512_permutexvar_ps((__m512i)at, load(table));
    if (size <= 32) return _mm512_permutex2var_ps(load(table), (__m512i)at, load(table + 16));
#elif defined(SIMD_AVX2)
    if (size <= 8) return _mm256_permutevar8x32_ps(load(table), (__m256i)at);
#endif
    return gather(table, at & (at >= 0) & (vi)(at < (int32_t)size));
}

/* Conversion of bytes of 0 or 1 to a mask, and back. */
INLINE vm from_bytes(const uint8_t *p) {
#if defined(SIMD_AVX512)
    __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    return _mm_test_epi8_mask(bytes, bytes);
#elif defined(SIMD_AVX2)
    __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
    return (vm)_mm256_cmpgt_epi32(wide, _mm256_setzero_si256());
#else
    vm m;
    for (int i = 0; i < W; i++) m[i] = -(int32_t)(p[i] != 0);
    return m;
#endif
}

INLINE void to_bytes(uint8_t *p, vm m) {
#if defined(SIMD_AVX512)
    _mm_storeu_si128((__m128i *)p, _mm_maskz_set1_epi8(m, 1));
#elif defined(SIMD_AVX2)
    __m128i low = _mm256_castsi256_si128((__m256i)m), high = _mm256_extracti128_si256((__m256i)m, 1);
    __m128i halves = _mm_packs_epi32(low, high);
    _mm_storel_epi64((__m128i *)p, _mm_and_si128(_mm_packs_epi16(halves, halves), _mm_set1_epi8(1)));
#else
    for (int i = 0; i < W; i++) p[i] = (uint8_t)(m[i] & 1);
#endif
}

INLINE vf or_zero(vm drop, vf a) { return keep(not(drop), a); }
