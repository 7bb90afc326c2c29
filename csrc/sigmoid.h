/* Each element is a yes or no of its own: rows of x and t, one class at a time. */
#pragma once
#include "rows.h"
#include "terms.h"

/* What a block of a row is asked for. Constants where it is worth a copy of the code. */
typedef struct {
    int hard;     /* every t is 0 or 1: only the side of the truth is priced */
    int weighted; /* w holds weights, 0 where an element does not count */
    int sum, grad;
    int region;   /* tp, pred, target */
    int rare;     /* pred_sq, target_sq, abs_diff */
    int log;      /* the first term is -log p, summed by the truth alone */
    int terms;    /* the others, from position `log` on */
    int squared;  /* of which there is one, -(1 - p)^2 log p */
} Ask;

INLINE vf weigh(vf v, vf w, int weighted) {
    if (weighted) v = v * w;
    return v;
}

#define AT(column) (column < 0 ? 0.0f : (float)coefficients[column])

/* The sums of len elements, len a multiple of W; whether a t is not what `ask` says. */
INLINE int sigmoid_block(const Call *call, const float *x, const float *t, const float *w, int64_t len, float shift,
                         double *sums, const double *coefficients, float *g, const Ask ask) {
    const vf zero = {0}, one = all(1.0f);
    vf tp = zero, fp = zero, fn = zero, target = zero, count = zero, pred_sq = zero, target_sq = zero, abs_diff = zero;
    vf yes = zero, no = zero, product_yes = zero, product_no = zero;
    vf term_sums[MOST_TERMS][4];
    const Term *terms = call->term;
    const int count_terms = ask.squared ? ask.log + 1 : (int)call->terms;
    const int product = ask.log && ask.hard && !ask.weighted && ask.sum;
    if (ask.terms)
        for (int j = ask.log; j < count_terms; j++)
            for (int k = 0; k < 4; k++) term_sums[j][k] = zero;
    vf g_tp = zero, g_pred = zero, g_sq = zero, g_abs = zero, g_yes = zero, g_no = zero;
    if (ask.grad && ask.region) g_tp = all(AT(call->region[TP])), g_pred = all(AT(call->region[PRED]));
    if (ask.grad && ask.rare) g_sq = all(2 * AT(call->region[PRED_SQ])), g_abs = all(AT(call->region[ABS_DIFF]));
    if (ask.grad && ask.log) {
        g_yes = all((float)terms[0].log * AT(terms[0].truth[0]));
        g_no = all((float)terms[0].log * AT(terms[0].truth[1]));
    }
    vm odd = lt(one, zero);
    for (int64_t i = 0; i < len; i += W) {
        vf xi = load(x + i) + shift, ti = load(t + i);
        vf wi = ask.weighted ? load(w + i) : one;
        vm positive = eq(ti, one);
        if (ask.hard)
            odd = (vm)(odd | not((vm)(positive | eq(ti, zero))));
        else
            odd = (vm)(odd | not(both(le(zero, ti), le(ti, one))));
        vf z = exp_(zero - absolute(xi));
        vf d = reciprocal(one + z), zd = z * d;
        vm up = le(zero, xi);
        vf p = pick(up, d, zd), q = pick(up, zd, d);
        vf slope = zero; /* the gradient by x, but for the weight */
        if (ask.region) {
            if (ask.sum) {
                /* right and wrong apart: neither is lost beside the other */
                vf pw = weigh(p, wi, ask.weighted), qw = weigh(q, wi, ask.weighted);
                if (ask.hard) {
                    tp = add_where(positive, tp, pw), fn = add_where(positive, fn, qw);
                    fp = add_where(not(positive), fp, pw);
                } else {
                    tp = fma_(pw, ti, tp), fn = fma_(qw, ti, fn);
                    fp = fma_(pw, one - ti, fp);
                }
            }
            if (ask.grad) slope = fma_(g_tp, ti, g_pred);
        }
        if (ask.sum) {
            target += weigh(ti, wi, ask.weighted);
            if (ask.weighted) count += wi;
        }
        if (ask.rare) {
            vf difference = pick(positive, zero - q, p - ti);
            if (ask.sum) {
                pred_sq = fma_(p * p, wi, pred_sq);
                target_sq = fma_(ti * ti, wi, target_sq);
                abs_diff = fma_(absolute(difference), wi, abs_diff);
            }
            if (ask.grad) {
                slope = fma_(g_sq, p, slope);
                slope += pick(lt(zero, difference), g_abs, keep(lt(difference, zero), zero - g_abs));
            }
        }
        if (ask.grad && (ask.region || ask.rare)) slope = slope * (p * q);
        if (ask.log) {
            if (ask.grad)
                slope += ask.hard ? pick(positive, zero - g_yes * q, g_no * p)
                                  : fma_(g_no * p, one - ti, zero - g_yes * q * ti);
            if (product) {
                /* the product of 1 + z, less 1, so that small z are not lost; its logarithm once in 32 */
                vf below = max_or_nan(zero, zero - xi), above = max_or_nan(zero, xi);
                yes = add_where(positive, yes, below);
                no = add_where(not(positive), no, above);
                vf z_yes = keep(positive, z), z_no = keep(not(positive), z);
                product_yes = fma_(product_yes, z_yes, product_yes + z_yes);
                product_no = fma_(product_no, z_no, product_no + z_no);
                if ((i / W) % 32 == 31) {
                    yes += log1p_(product_yes), no += log1p_(product_no);
                    product_yes = product_no = zero;
                }
            }
        }
        if (ask.terms || (ask.log && ask.sum && !product)) {
            vf curve = log1p_unit(z);
            vf below = max_or_nan(zero, zero - xi) + curve, above = max_or_nan(zero, xi) + curve; /* -log p, -log q */
            if (ask.log && ask.sum && !product) {
                yes += or_zero(eq(ti, zero), below * ti * wi);
                no += or_zero(positive, above * (one - ti) * wi);
            }
            if (ask.terms)
                for (int j = ask.log; j < count_terms; j++) {
                    const Term squared = {
                        .log = terms[j].log, .gamma = 2, .truth = {terms[j].truth[0], terms[j].truth[1]}, .every = {-1, -1}};
                    const Term *term = ask.squared ? &squared : terms + j;
                    vf *into = term_sums[j];
                    int spread = !ask.squared && (term->every[0] >= 0 || term->every[1] >= 0);
                    if (ask.hard && !spread) {
                        vf own = pick(positive, p, q), other = pick(positive, q, p);
                        Priced priced = price(term, zero - pick(positive, below, above), own, other);
                        if (ask.sum) {
                            vf value = weigh(priced.value, wi, ask.weighted);
                            into[0] = add_where(positive, into[0], value);
                            into[1] = add_where(not(positive), into[1], value);
                        }
                        if (ask.grad)
                            slope += priced.slope * other *
                                     pick(positive, all(AT(term->truth[0])), all(-AT(term->truth[1])));
                        continue;
                    }
                    Priced on = price(term, zero - below, p, q), off = price(term, zero - above, q, p);
                    if (ask.sum) {
                        into[0] += or_zero(eq(ti, zero), on.value * ti * wi);
                        into[1] += or_zero(positive, off.value * (one - ti) * wi);
                        into[2] = fma_(on.value, wi, into[2]);
                        into[3] = fma_(off.value, wi, into[3]);
                    }
                    if (ask.grad) {
                        vf c_on = fma_(all(AT(term->truth[0])), ti, all(AT(term->every[0])));
                        vf c_off = fma_(all(AT(term->truth[1])), one - ti, all(AT(term->every[1])));
                        slope += or_zero(eq(c_on, zero), c_on * on.slope * q);
                        slope -= or_zero(eq(c_off, zero), c_off * off.slope * p);
                    }
                }
        }
        if (ask.grad) store(g + i, weigh(slope, wi, ask.weighted));
    }
    if (!ask.sum || any(odd)) return any(odd);
#define ADD(column, lanes)                                                                                             \
    if ((column) >= 0) sums[column] += sum_of(lanes)
    double targets = sum_of(target);
    if (ask.region) {
        double right = true_positives(sum_of(tp), sum_of(fn), targets);
        if (call->region[TP] >= 0) sums[call->region[TP]] += right;
        if (call->region[PRED] >= 0) sums[call->region[PRED]] += right + sum_of(fp);
    }
    if (call->region[TARGET] >= 0) sums[call->region[TARGET]] += targets;
    if (call->region[COUNT] >= 0) sums[call->region[COUNT]] += ask.weighted ? sum_of(count) : (double)len;
    if (ask.rare) {
        ADD(call->region[PRED_SQ], pred_sq);
        ADD(call->region[TARGET_SQ], target_sq);
        ADD(call->region[ABS_DIFF], abs_diff);
    }
    if (ask.log) {
        float a = (float)terms[0].log;
        yes += log1p_(product_yes), no += log1p_(product_no);
        ADD(terms[0].truth[0], yes * a);
        ADD(terms[0].truth[1], no * a);
    }
    if (ask.terms)
        for (int j = ask.log; j < count_terms; j++) {
            ADD(terms[j].truth[0], term_sums[j][0]);
            ADD(terms[j].truth[1], term_sums[j][1]);
            ADD(terms[j].every[0], term_sums[j][2]);
            ADD(terms[j].every[1], term_sums[j][3]);
        }
#undef ADD
    return 0;
}
#undef AT

/* The asks that have a copy of the code to themselves; anything else runs in the general one. */
static int sigmoid_blocks(const Call *call, const float *x, const float *t, const float *w, int64_t len, float shift,
                          double *sums, const double *coefficients, float *g, Ask ask) {
#define ARGUMENTS call, x, t, w, len, shift, sums, coefficients, g
#define COPY(R, L, T, S, G) COPY_OF(R, L, T, S, G, 0) COPY_OF(R, L, T, S, G, 1)
#define COPY_OF(R, L, T, S, G, WEIGHTED)                                                                               \
    if (ask.region == (R) && ask.log == (L) && ask.terms == (T) && ask.squared == (T) && ask.sum == (S) &&             \
        ask.grad == (G) && ask.weighted == (WEIGHTED))                                                                 \
        return sigmoid_block(ARGUMENTS,                                                                                \
                             (Ask){.hard = 1, .weighted = WEIGHTED, .region = R, .log = L, .terms = T, .squared = T,      \
                                   .sum = S, .grad = G});
    if (ask.hard && !ask.rare) {
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
    return sigmoid_block(ARGUMENTS, ask);
#undef ARGUMENTS
}

enum { MISSING = 1, SOFT = 2 };

/* A row with neutral values of no weight where nothing counts. Remembers the first bad label; says what it found. */
static int sigmoid_clean(const Call *call, Piece *piece, int64_t n, int64_t c, int64_t s, int64_t len, int64_t padded,
                         float *restrict x, float *restrict t, float *restrict w, uint8_t *restrict counts) {
    const float rounding = rounding_of(&call->target);
    const vf zero = {0}, one = all(1.0f), ignore = all((float)call->ignore);
    load_row(x, &call->input, n, c, s, len);
    load_row(t, &call->target, n, c, s, len);
    if (call->weight.data)
        load_row(w, &call->weight, n, c, s, len);
    else
        for (int64_t i = 0; i < len; i++) w[i] = 1.0f;
    if (call->mask.data)
        load_mask(counts, &call->mask, n, c, s, len);
    else
        memset(counts, 1, (size_t)len);
    memset(counts + len, 0, (size_t)(padded - len));
    vm soft = lt(zero, zero), bad = soft;
    for (int64_t i = 0; i < padded; i += W) {
        vm count = from_bytes(counts + i);
        vf ti = load(t + i);
        if (call->has_ignore) {
            count = both(count, not(eq(ti, ignore)));
            to_bytes(counts + i, count);
        }
        ti = keep(count, ti);
        soft = (vm)(soft | not((vm)(eq(ti, zero) | eq(ti, one))));
        bad = (vm)(bad | not(both(le(zero, ti), le(ti, one))));
        store(x + i, keep(count, load(x + i)));
        store(t + i, ti);
        store(w + i, keep(count, load(w + i)));
    }
    int missing = memchr(counts, 0, (size_t)len) != 0;
    for (int64_t i = 0; any(bad) && i < len; i++) {
        if (!(t[i] >= -rounding && t[i] <= 1.0f + rounding))
            complain(piece, BAD_LABEL, number_at(&call->target, offset_of(&call->target, n, c, s + i)));
        t[i] = t[i] > 1.0f ? 1.0f : t[i] >= 0.0f ? t[i] : 0.0f;
    }
    return (missing ? MISSING : 0) | (any(soft) ? SOFT : 0);
}

static void sigmoid_kernel(const Call *call, Tiling tiling, Piece *piece) {
    int64_t wide = (tiling.tile + W - 1) / W * W;
    float *x = aligned_alloc(64, (size_t)(wide * 4 * 4 + ((wide + 63) & ~63)));
    float *t = x + wide, *w = t + wide, *g = w + wide;
    uint8_t *counts = (uint8_t *)(g + wide);
    const int64_t *region = call->region;
    Ask ask = {
        .hard = 1,
        .sum = call->totals != 0,
        .grad = call->coefficients != 0,
        .region = region[TP] >= 0 || region[PRED] >= 0,
        .rare = region[PRED_SQ] >= 0 || region[TARGET_SQ] >= 0 || region[ABS_DIFF] >= 0,
        .log = call->terms > 0 && is_log(call->term) && call->term[0].every[0] < 0 && call->term[0].every[1] < 0,
    };
    ask.terms = call->terms > ask.log;
    const Term *last = call->term + ask.log;
    ask.squared = call->terms == ask.log + 1 && last->gamma == 2 && last->rest == 0 && last->every[0] < 0 &&
                  last->every[1] < 0;
    int inside = call->has_ignore && (call->ignore == 0 || call->ignore == 1);
    int careful = call->weight.data || call->mask.data || inside;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        int64_t n = unit / tiling.per_sample, s = unit % tiling.per_sample * tiling.tile;
        int64_t len = call->S - s < tiling.tile ? call->S - s : tiling.tile;
        for (int64_t c = 0; c < call->C; c++) {
            const double *coefficients = call->coefficients ? call->coefficients + n * call->coefficients_n + c * call->K : 0;
            double *sums = piece->totals ? piece->totals + c * call->K : 0;
            float shift = call->shift ? call->shift[c] : 0.0f;
            int direct = is_plain(&call->gradient) && len % W == 0;
            float *out = ask.grad && direct ? (float *)call->gradient.data + offset_of(&call->gradient, n, c, s) : g;
            int done = 0;
            if (!careful && len % W == 0) {
                const float *xs = x, *ts = t;
                if (is_plain(&call->input))
                    xs = (const float *)call->input.data + offset_of(&call->input, n, c, s);
                else
                    load_row(x, &call->input, n, c, s, len);
                if (is_plain(&call->target))
                    ts = (const float *)call->target.data + offset_of(&call->target, n, c, s);
                else
                    load_row(t, &call->target, n, c, s, len);
                done = !sigmoid_blocks(call, xs, ts, 0, len, shift, sums, coefficients, out, ask);
                if (!done && ask.hard && !call->has_ignore) {
                    ask.hard = 0;
                    done = !sigmoid_blocks(call, xs, ts, 0, len, shift, sums, coefficients, out, ask);
                }
            }
            if (!done) {
                int64_t padded = (len + W - 1) / W * W;
                int found = sigmoid_clean(call, piece, n, c, s, len, padded, x, t, w, counts);
                careful |= found & MISSING; /* where one is ignored, others will be */
                ask.hard &= !(found & SOFT);
                Ask cleaned = ask;
                cleaned.weighted = 1, cleaned.hard = !(found & SOFT);
                sigmoid_blocks(call, x, t, w, padded, shift, sums, coefficients, g, cleaned);
                if (ask.grad) /* what does not count has no gradient, even of a loss that is NaN */
                    for (int64_t i = 0; i < padded; i += W) store(g + i, keep(from_bytes(counts + i), load(g + i)));
                out = g;
            }
            if (ask.grad && !(out != g)) store_row(&call->gradient, n, c, s, g, len);
        }
    }
    free(x);
}
