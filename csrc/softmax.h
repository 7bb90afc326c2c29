/* Softmax: exponentials, their sums, and the probability of the true class.
 *
 * For a nearly certain class, 1 - p is computed from the exponentials of the others, since p itself rounds to 1.
 */
#pragma once
#include "softmax_tile.h"

/* A class is nearly certain if the sum of the others is below this share of it. */
#define CERTAIN 0.02f
/* Below this an exponential or a probability may have lost precision: its logarithm is computed from the logit. */
#define TINY 1e-30f

/* e = exp(x - base) of a class, or of four at once, with their sum and maximum. */
INLINE void exponentials(const Tile *tile, int64_t c, int64_t classes, int subtract_base) {
    const float *x[4];
    float bias[4];
    for (int64_t k = 0; k < classes; k++) x[k] = logits(tile, c + k), bias[k] = logit_bias_of(tile->call, c + k);
    float *e = tile->e + c * tile->P;
    for (int64_t i = 0; i < tile->P; i += W) {
        vf base = subtract_base ? load(tile->base + i) : (vf){0};
        vf sum = load(tile->sum + i), m = c ? load(tile->m + i) : (vf){0};
        for (int64_t k = 0; k < classes; k++) {
            vf v = load(x[k] + i) + bias[k];
            if (subtract_base) v -= base;
            v = exp_(v);
            store(e + k * tile->P + i, v);
            sum += v;
            m = max_or_nan(v, m);
        }
        store(tile->sum + i, sum);
        store(tile->m + i, m);
    }
    add_block(tile, c + classes, tile->sum, tile->total);
}

/* Exponentials of every class without shift; returns whether all are in range. */
static int exponentials_fit(Tile *tile) {
    const Call *call = tile->call;
    int64_t P = tile->P, c = 0;
    start_sum(tile, tile->sum, tile->total);
    for (; c + 4 <= call->C; c += 4) exponentials(tile, c, 4, 0);
    for (; c < call->C; c++) exponentials(tile, c, 1, 0);
    end_sum(tile, tile->sum, tile->total);
    vm fits = le((vf){0}, (vf){0});
    for (int64_t i = 0; i < P; i += W)
        fits = (vm)(fits & both(lt(all(1e-20f), load(tile->m + i)), lt(load(tile->sum + i), all(1e20f))));
    return !any(not(fits));
}

/* Exponentials of a tile, their sums, and the sums without the largest. */
static void softmax_of(Tile *tile) {
    const Call *call = tile->call;
    int64_t P = tile->P, c = 0;
    int fit = exponentials_fit(tile);
    if (!fit && !tile->complete && tile->raw) tile->raw = 0, fit = exponentials_fit(tile);
    if (!fit) { /* large logits, or NaN: repeat, shifted by the largest */
        for (int64_t i = 0; i < P; i++) tile->base[i] = -INFINITY;
        for (c = 0; c < call->C; c++) {
            const float *x = logits(tile, c);
            float bias = logit_bias_of(call, c);
            for (int64_t i = 0; i < P; i += W)
                store(tile->base + i, max_or_nan(load(x + i) + bias, load(tile->base + i)));
        }
        start_sum(tile, tile->sum, tile->total);
        for (c = 0; c < call->C; c++) exponentials(tile, c, 1, 1);
        end_sum(tile, tile->sum, tile->total);
    } else
        memset(tile->base, 0, (size_t)P * 4);
    vm certain = lt((vf){0}, (vf){0});
    for (int64_t i = 0; i < P; i += W) {
        vf m = load(tile->m + i), rest = load(tile->sum + i) - m;
        certain = (vm)(certain | lt(rest, m * CERTAIN));
        store(tile->others + i, rest);
    }
    tile->certain = any(certain);
    if (tile->certain) {
        start_sum(tile, tile->total, tile->top);
        for (c = 0; c < call->C; c++) {
            for (int64_t i = 0; i < P; i += W) {
                vf e = load(tile->e + c * P + i);
                store(tile->total + i, add_where(lt(e, load(tile->m + i)), load(tile->total + i), e));
            }
            add_block(tile, c + 1, tile->total, tile->top);
        }
        end_sum(tile, tile->total, tile->top);
        for (int64_t i = 0; i < P; i += W) {
            vf m = load(tile->m + i), others = load(tile->others + i);
            others = pick(lt(others, m * CERTAIN), load(tile->total + i), others);
            store(tile->others + i, others);
            store(tile->sum + i, m + others);
        }
    }
    for (int64_t i = 0; i < P; i += W) store(tile->inverse + i, reciprocal(load(tile->sum + i)));
}

/* log p: for the largest class from the sum of the others, for any other class from its p. */
INLINE vf log_share(vm close, vf p, vf others) {
    vf curve = log1p_unit(pick(close, others, mantissa_of(p) - 1.0f));
    vf l = scaled_log(exponent_of(p), curve);
    return pick(close, all(0.0f) - curve, pick(eq(p, p), l, p));
}

/* The exponential of the true class at W positions. A gather is slower than reading a few rows. */
INLINE vf gather_rows(const Tile *tile, int64_t i) {
    vi at = load_int(tile->index + i), lanes = {0};
    for (int k = 0; k < W; k++) lanes[k] = k;
    return gather(tile->e, (at & (at >= 0)) * (int32_t)tile->P + (int32_t)i + lanes);
}

INLINE vf pick_rows(const Tile *tile, int64_t i) {
    vi at = load_int(tile->index + i);
    vf e = load(tile->e + i);
    for (int64_t c = 1; c < tile->call->C; c++)
        e = pick(eq_int(at, all_int((int32_t)c)), load(tile->e + c * tile->P + i), e);
    return e;
}

/* p, 1 - p and log p of the true class at each position. */
static void truth_of(Tile *tile) {
    int64_t P = tile->P;
    int few = tile->call->C <= FEW_CLASSES;
    for (int64_t i = 0; i < P; i += W) {
        vf e = few ? pick_rows(tile, i) : gather_rows(tile, i);
        vf m = load(tile->m + i), others = load(tile->others + i), inverse = load(tile->inverse + i);
        vf p = e * inverse;
        vm largest = eq(e, m);
        vf q = pick(largest, others * inverse, all(1.0f) - p);
        store(tile->truth_p + i, p);
        store(tile->truth_q + i, q);
        store(tile->truth_top + i, pick(largest, (vf){0}, all(1.0f))); /* 0: the true class is the largest */
        if (!tile->logs) continue;
        vm close = both(largest, le(others, m));
        store(tile->truth_log + i, log_share(close, p, others * reciprocal(m)));
        if (any(lt(min_or_nan(e, p), all(TINY))))
            for (int64_t k = i; k < i + W; k++) {
                int64_t c = tile->index[k];
                if (c < 0 || (tile->truth_p[k] >= TINY && tile->e[c * P + k] >= TINY)) continue;
                double x = number_at(&tile->call->input, offset_of(&tile->call->input, tile->n, c, tile->s + k));
                tile->truth_log[k] = (float)(x + logit_bias_of(tile->call, c) - tile->base[k] - log(tile->sum[k]));
            }
    }
}
