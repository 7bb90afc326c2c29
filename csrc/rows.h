/* Rows of a tile: conversion of tensor memory of any dtype to floats and back. */
#pragma once
#include "call.h"
#include "memory.h"
#include "simd.h"
#include <stdlib.h>

INLINE float bfloat16_to_float(uint16_t h) {
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

INLINE uint16_t float_to_bfloat16(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return (bits & 0x7fffffff) > 0x7f800000 ? (uint16_t)((bits >> 16) | 0x40) : (uint16_t)rounded;
}

INLINE float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
    /* the shifted exponent is too small by 112; the multiplication also normalizes denormals */
    uint32_t bits = rest << 13, wide = 0x77800000;
    float f, scale;
    memcpy(&f, &bits, 4);
    memcpy(&scale, &wide, 4);
    f *= scale;
    memcpy(&bits, &f, 4);
    bits = (rest >= 0x7c00 ? 0x7f800000 | (rest << 13) : bits) | sign;
    memcpy(&f, &bits, 4);
    return f;
}

INLINE uint16_t float_to_half(float f) {
    uint32_t bits, sign;
    memcpy(&bits, &f, 4);
    sign = (bits >> 16) & 0x8000;
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (bits >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* rounds to infinity */
    if (bits < 0x38800000) { /* denormal: let an addition round it */
        float magnitude, magic = 0.5f;
        memcpy(&magnitude, &bits, 4);
        magnitude += magic;
        memcpy(&bits, &magnitude, 4);
        return (uint16_t)(sign | (bits - 0x3f000000));
    }
    return (uint16_t)(sign | ((bits + 0xfff + ((bits >> 13) & 1) - 0x38000000) >> 13));
}

INLINE vf load_half(const uint16_t *from) {
#if defined(SIMD_AVX512)
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
#elif defined(SIMD_AVX2)
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
#else
    vf v;
    for (int i = 0; i < W; i++) v[i] = half_to_float(from[i]);
    return v;
#endif
}

/* W floats, rounded to the nearest as by float_to_bfloat16() and float_to_half(). */
INLINE void store_bfloat16(uint16_t *to, vf v) {
#if defined(SIMD_AVX512)
    const __m512i bits = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i result = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi32_epi16(_mm512_srli_epi32(result, 16)));
#elif defined(SIMD_AVX2)
    const __m256i bits = _mm256_castps_si256((__m256)v), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps((__m256)v, (__m256)v, _CMP_UNORD_Q));
    const __m256i result = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
    const __m128i low = _mm256_castsi256_si128(result), high = _mm256_extracti128_si256(result, 1);
    _mm_storeu_si128((__m128i *)to, _mm_packus_epi32(low, high));
#else
    for (int i = 0; i < W; i++) to[i] = float_to_bfloat16(v[i]);
#endif
}

INLINE void store_half(uint16_t *to, vf v) {
#if defined(SIMD_AVX512)
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
#elif defined(SIMD_AVX2)
    _mm_storeu_si128((__m128i *)to, _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
#else
    for (int i = 0; i < W; i++) to[i] = float_to_half(v[i]);
#endif
}

INLINE int64_t offset_of(const View *v, int64_t n, int64_t c, int64_t s) { return n * v->n + c * v->c + s * v->s; }

#define EACH(T, expression)                                                                                            \
    {                                                                                                                  \
        const T *from = (const T *)v->data + at;                                                                       \
        if (stride == 1)                                                                                               \
            for (int64_t i = 0; i < len; i++) out[i] = (float)expression(from[i]);                                     \
        else                                                                                                           \
            for (int64_t i = 0; i < len; i++) out[i] = (float)expression(from[i * stride]);                            \
        return;                                                                                                        \
    }

/* len elements of row (n, c), starting at position s */
static void load_row(float *restrict out, const View *v, int64_t n, int64_t c, int64_t s, int64_t len) {
    int64_t at = offset_of(v, n, c, s), stride = v->s;
    switch (v->type) {
    case FLOAT32: EACH(float, )
    case FLOAT16:
        if (stride == 1) {
            const uint16_t *from = (const uint16_t *)v->data + at;
            int64_t i = 0;
            for (; i + W <= len; i += W) store(out + i, load_half(from + i));
            for (; i < len; i++) out[i] = half_to_float(from[i]);
            return;
        }
        EACH(uint16_t, half_to_float)
    case BFLOAT16: EACH(uint16_t, bfloat16_to_float)
    case FLOAT64: EACH(double, )
    case BOOL:
    case UINT8: EACH(uint8_t, )
    case INT8: EACH(int8_t, )
    case INT16: EACH(int16_t, )
    case INT32: EACH(int32_t, )
    case INT64: EACH(int64_t, )
    }
}
#undef EACH

static int64_t integer_at(const View *v, int64_t at) {
    switch (v->type) {
    case BOOL:
    case UINT8: return ((const uint8_t *)v->data)[at];
    case INT8: return ((const int8_t *)v->data)[at];
    case INT16: return ((const int16_t *)v->data)[at];
    case INT32: return ((const int32_t *)v->data)[at];
    default: return ((const int64_t *)v->data)[at];
    }
}

static double number_at(const View *v, int64_t at) {
    switch (v->type) {
    case FLOAT32: return ((const float *)v->data)[at];
    case FLOAT16: return half_to_float(((const uint16_t *)v->data)[at]);
    case BFLOAT16: return bfloat16_to_float(((const uint16_t *)v->data)[at]);
    case FLOAT64: return ((const double *)v->data)[at];
    default: return (double)integer_at(v, at);
    }
}

#define EACH(T)                                                                                                        \
    {                                                                                                                  \
        const T *from = (const T *)v->data + at;                                                                       \
        for (int64_t i = 0; i < len; i++) {                                                                            \
            int64_t k = (int64_t)from[i * stride];                                                                     \
            int outside = (uint64_t)k >= (uint64_t)classes;                                                            \
            wrong |= outside;                                                                                          \
            out[i] = outside ? -1 : (int32_t)k;                                                                        \
        }                                                                                                              \
        return wrong;                                                                                                  \
    }

/* Class indices of a row, -1 if out of range; returns whether any is. */
static int load_indices(int32_t *restrict out, const View *v, int64_t n, int64_t s, int64_t len, int64_t classes) {
    int64_t at = offset_of(v, n, 0, s), stride = v->s;
    int wrong = 0;
#if defined(SIMD_AVX512)
    if (stride == 1 && (v->type == INT64 || v->type == UINT8)) {
        __m512i minus = _mm512_set1_epi32(-1), most = _mm512_set1_epi64(classes);
        __m512i few = _mm512_set1_epi32(classes > 256 ? 256 : (int)classes);
        int64_t i = 0;
        for (; v->type == INT64 && i + 16 <= len; i += 16) {
            const int64_t *from = (const int64_t *)v->data + at + i;
            __m512i low = _mm512_loadu_si512(from), high = _mm512_loadu_si512(from + 8);
            __mmask16 outside = (__mmask16)(_mm512_cmpge_epu64_mask(low, most) | _mm512_cmpge_epu64_mask(high, most) << 8);
            __m512i both_ = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(low)),
                                               _mm512_cvtepi64_epi32(high), 1);
            _mm512_storeu_si512(out + i, _mm512_mask_mov_epi32(both_, outside, minus));
            wrong |= outside;
        }
        for (; v->type == UINT8 && i + 16 <= len; i += 16) {
            const uint8_t *from = (const uint8_t *)v->data + at + i;
            __m512i k = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from));
            __mmask16 outside = _mm512_cmpge_epu32_mask(k, few);
            _mm512_storeu_si512(out + i, _mm512_mask_mov_epi32(k, outside, minus));
            wrong |= outside;
        }
        at += i, out += i, len -= i;
    }
#endif
    switch (v->type) {
    case BOOL:
    case UINT8: EACH(uint8_t)
    case INT8: EACH(int8_t)
    case INT16: EACH(int16_t)
    case INT32: EACH(int32_t)
    default: EACH(int64_t)
    }
}
#undef EACH

static void store_row(const View *v, int64_t n, int64_t c, int64_t s, const float *restrict row, int64_t len) {
    int64_t at = offset_of(v, n, c, s), stride = v->s;
    if (v->type == FLOAT32) {
        float *to = (float *)v->data + at;
        if (stride == 1)
            memcpy(to, row, (size_t)len * 4);
        else
            for (int64_t i = 0; i < len; i++) to[i * stride] = row[i];
        return;
    }
    uint16_t *to = (uint16_t *)v->data + at;
    int64_t i = 0;
    if (v->type == BFLOAT16) {
        for (; stride == 1 && i + W <= len; i += W) store_bfloat16(to + i, load(row + i));
        for (; i < len; i++) to[i * stride] = float_to_bfloat16(row[i]);
        return;
    }
    for (; stride == 1 && i + W <= len; i += W) store_half(to + i, load(row + i));
    for (; i < len; i++) to[i * stride] = float_to_half(row[i]);
}

/* 1 for each of len positions that counts, 0 where the mask is false. */
static void load_mask(uint8_t *restrict out, const View *v, int64_t n, int64_t c, int64_t s, int64_t len) {
    const uint8_t *from = (const uint8_t *)v->data + offset_of(v, n, c, s);
    int64_t stride = v->s;
    if (stride == 1)
        memcpy(out, from, (size_t)len);
    else
        for (int64_t i = 0; i < len; i++) out[i] = from[i * stride];
}

INLINE int is_plain(const View *v) { return v->type == FLOAT32 && v->s == 1; }

INLINE int has_l1(const Call *call) {
    return call->region[TP_L1] >= 0 || call->region[FP_L1] >= 0 || call->region[FN_L1] >= 0;
}

/* How far outside [0, 1] rounding may put a soft label. */
INLINE float rounding_of(const View *v) {
    switch (v->type) {
    case FLOAT16: return 3.90625e-3f;
    case BFLOAT16: return 3.125e-2f;
    case FLOAT32: return 4.76837158e-7f;
    case FLOAT64: return 8.8817842e-16f;
    default: return 0.0f;
    }
}

/* A weight as part of a denominator: NaN if negative, above MOST_WEIGHT or NaN. */
INLINE vf as_size(vf w) { return pick(both(le((vf){0}, w), le(w, all(MOST_WEIGHT))), w, all(NAN)); }

/* Records invalid weights, if sums are computed. */
INLINE void check_weights(Piece *piece, const float *w, int64_t len) {
    int fit = 1;
    for (int64_t i = 0; piece->totals && i < len; i++) fit &= w[i] >= 0 && w[i] <= MOST_WEIGHT;
    piece->bad_weight |= !fit;
}

/* Records the first invalid label. */
INLINE void report_problem(Piece *piece, int64_t problem, double value) {
    if (piece->problem != NO_PROBLEM) return;
    piece->problem = problem;
    piece->bad_value = value;
}

/* The positions of a tile: len positions of sample n starting at s, in rows of `padded` floats. */
typedef struct {
    int64_t n, s, len, padded;
} Span;

INLINE int64_t padded_to_vectors(int64_t len) { return (len + W - 1) / W * W; }

INLINE Span span_of(const Call *call, Tiling tiling, int64_t unit) {
    int64_t s = unit % tiling.per_sample * tiling.tile, left = call->S - s;
    int64_t len = left < tiling.tile ? left : tiling.tile;
    return (Span){unit / tiling.per_sample, s, len, padded_to_vectors(len)};
}

/* Rows of a tile, in thread-private memory. */
typedef struct {
    float *x, *t, *w, *g;
    uint8_t *counts;
    void *memory;
} Rows;

/* `memory` is null if memory is short. */
static Rows allocate_rows(Tiling tiling, Piece *piece) {
    int64_t count = padded_to_vectors(tiling.tile), bytes = count * 4;
    Rows rows;
    rows.memory =
        ALLOCATE_ARRAYS({&rows.x, bytes}, {&rows.t, bytes}, {&rows.w, bytes}, {&rows.g, bytes}, {&rows.counts, count});
    piece->short_of_memory |= !rows.memory;
    return rows;
}
