/* One class of several at each position: a tile holds P positions by all classes, so memory is read once.
 *
 * The largest class of a position where it is nearly certain is kept as 1 - p: its own p rounds to 1.
 */
#pragma once
#include "rows.h"
#include "terms.h"

/* The others' share of the largest below which it counts as nearly certain. */
#define CERTAIN 0.02f
/* An exponential or a probability that may have lost digits: its logarithm comes from the logit. */
#define TINY 1e-30f

typedef struct {
    const Call *call;
    Piece *piece;
    int64_t n, s, len, P; /* the tile: len positions from s on, in rows of P floats */
    int ready;            /* all positions count and the tile is full */
    int even;             /* w and counts hold nothing but ones */
    int raw;              /* logits are read as they are: what does not count has shown to do no harm, or not yet to */
    int region;           /* tp or pred is asked for */
    int logs;             /* so are logarithms: a slope alone may do without */
    int targets;          /* the weight of each class's truths is asked for, or needed */
    int certain;          /* some position is nearly certain */
    int odd;              /* a coefficient is NaN or infinite */
    const double *coefficients;
    float *x;          /* (C, P) logits, where the input itself can't be read row by row */
    float *e;          /* (C, P) exponentials */
    float *r;          /* (C, P) what multiplies each probability's slope, or room for W positions by all classes */
    float *rows;       /* (4, P) of classes that are on their way */
    float *base, *m, *sum, *others, *inverse, *w; /* (P,) */
    float *truth_p, *truth_q, *truth_log, *added, *total, *top, *labels, *row_sum, *truth_top;
    int32_t *index;    /* (P,) class of the truth, -1 for none */
    uint8_t *counts;   /* (P,) */
    float *prices;     /* (terms, P) */
    float *factors;    /* (7 + 2 terms, C) coefficients of the region columns, then of each term's truth and every */
    double *histogram; /* (C, 4) sums by class of the truth, and as many again for every 4 terms */
    int transposed, across; /* whether classes lie side by side in the logits, and in the gradient; see side_by_side() */
} Tile;

INLINE float shift_of(const Call *call, int64_t c) { return call->shift ? call->shift[c] : 0.0f; }

/* A row for a class that has none in memory, until the fourth class after it. */
INLINE float *own_row(const Tile *tile, int64_t c) { return tile->rows + (c & 3) * tile->P; }

/* The logits of a class as floats: the memory itself where it can be. */
static const float *logits(const Tile *tile, int64_t c) {
    const Call *call = tile->call;
    if (tile->transposed) return tile->x + c * tile->P;
    if (tile->raw && is_plain(&call->input))
        return (const float *)call->input.data + offset_of(&call->input, tile->n, c, tile->s);
    float *row = own_row(tile, c);
    load_row(row, &call->input, tile->n, c, tile->s, tile->len);
    for (int64_t i = tile->len; i < tile->P; i++) row[i] = 0.0f;
    if (!tile->ready)
        for (int64_t i = 0; i < tile->len; i++) row[i] = tile->counts[i] ? row[i] : 0.0f;
    return row;
}

/* Whether classes lie side by side in memory, and enough of them that turning squares of them pays. */
INLINE int side_by_side(const Call *call, const View *v) { return v->data && v->s != 1 && call->S > 1 && call->C >= W; }

/* The classes of a position as a row. */
INLINE View by_position(const View *v) { return (View){v->data, v->type, v->n, v->s, v->c}; }

/* Classes side by side in memory: read W positions at a time, kept class by class. */
static void transpose_in(Tile *tile) {
    const Call *call = tile->call;
    const int64_t P = tile->P, C = call->C;
    const View classes = by_position(&call->input);
    for (int64_t i = 0; i < P; i += W) {
        const float *from[W];
        for (int64_t k = 0; k < W; k++) {
            float *room = tile->r + k * C;
            from[k] = room;
            if (i + k >= tile->len || !tile->counts[i + k])
                memset(room, 0, (size_t)C * 4);
            else if (is_plain(&classes))
                from[k] = (const float *)classes.data + offset_of(&classes, tile->n, tile->s + i + k, 0);
            else
                load_row(room, &classes, tile->n, tile->s + i + k, 0, C);
        }
        for (int64_t c = 0; c < C; c += W) {
            vf square[W];
            if (c > C - W) c = C - W; /* the last ones overlap those before */
            for (int k = 0; k < W; k++) square[k] = load(from[k] + c);
            transpose_square(square);
            for (int k = 0; k < W; k++) store(tile->x + (c + k) * P + i, square[k]);
        }
    }
}

/* Rows of classes to where they lie side by side; room for W positions. */
static void transpose_out(const Tile *tile, const View *v, const float *rows, float *room) {
    const int64_t P = tile->P, C = tile->call->C;
    const View classes = by_position(v);
    for (int64_t i = 0; i < tile->len; i += W) {
        const int64_t count = tile->len - i < W ? tile->len - i : W;
        float *to[W];
        for (int64_t k = 0; k < W; k++) {
            int direct = k < count && is_plain(&classes);
            to[k] = direct ? (float *)classes.data + offset_of(&classes, tile->n, tile->s + i + k, 0) : room + k * C;
        }
        for (int64_t c = 0; c < C; c += W) {
            vf square[W];
            if (c > C - W) c = C - W;
            for (int k = 0; k < W; k++) square[k] = load(rows + (c + k) * P + i);
            transpose_square(square);
            for (int k = 0; k < W; k++) store(to[k] + c, square[k]);
        }
        for (int64_t k = 0; k < count && !is_plain(&classes); k++)
            store_row(&classes, tile->n, tile->s + i + k, 0, to[k], C);
    }
}

/* Weights, and what does not count; for class indices the truth, and the first that names no class. */
static void read_positions(Tile *tile) {
    const Call *call = tile->call;
    int64_t len = tile->len, P = tile->P, missing = len < P;
    int inside = call->has_ignore && call->ignore >= 0 && call->ignore < call->C, wrong = 0;
    if (!call->dense) wrong = load_indices(tile->index, &call->target, tile->n, tile->s, len, call->C);
    if (!call->dense && !wrong && !inside && !missing && !call->mask.data && !call->weight.data) {
        for (int64_t i = 0; i < P && !tile->even; i++) tile->w[i] = 1.0f, tile->counts[i] = 1;
        tile->ready = tile->raw = tile->even = 1;
        return;
    }
    tile->even = 0;
    memset(tile->counts, 0, (size_t)P);
    if (call->mask.data)
        load_mask(tile->counts, &call->mask, tile->n, 0, tile->s, len);
    else
        memset(tile->counts, 1, (size_t)len);
    if (call->mask.data)
        for (int64_t i = 0; i < len; i++) missing |= !tile->counts[i];
    for (int64_t i = len; i < P; i++) tile->index[i] = -1;
    if (inside && !call->dense)
        for (int64_t i = 0; i < len; i++) {
            int ignored = tile->index[i] == (int32_t)call->ignore;
            tile->counts[i] &= !ignored, missing |= ignored;
        }
    if (wrong)
        for (int64_t i = 0; i < len; i++) {
            if (tile->index[i] >= 0 || !tile->counts[i]) continue;
            int64_t at = offset_of(&call->target, tile->n, 0, tile->s + i);
            if (!call->has_ignore || integer_at(&call->target, at) != call->ignore)
                complain(tile->piece, BAD_INDEX, number_at(&call->target, at));
            tile->counts[i] = 0, missing = 1;
        }
    if (call->dense && call->has_ignore)
        for (int64_t c = 0; c < call->C; c++)
            for (int64_t i = 0; i < len; i++)
                if (number_at(&call->target, offset_of(&call->target, tile->n, c, tile->s + i)) == (double)call->ignore)
                    tile->counts[i] = 0, missing = 1;
    if (call->weight.data)
        load_row(tile->w, &call->weight, tile->n, 0, tile->s, len);
    else
        for (int64_t i = 0; i < len; i++) tile->w[i] = 1.0f;
    for (int64_t i = len; i < P; i++) tile->w[i] = 0.0f;
    if (missing)
        for (int64_t i = 0; i < len; i++) {
            tile->w[i] = tile->counts[i] ? tile->w[i] : 0.0f;
            tile->index[i] = tile->counts[i] ? tile->index[i] : -1;
        }
    tile->ready = !missing, tile->raw = len == P;
}

/* e = exp(x - base) of a class, or of four at once, with their sum and the largest. */
INLINE void exponentials(const Tile *tile, int64_t c, int64_t classes, int shifted) {
    const float *x[4];
    float shift[4];
    for (int64_t k = 0; k < classes; k++) x[k] = logits(tile, c + k), shift[k] = shift_of(tile->call, c + k);
    float *e = tile->e + c * tile->P;
    for (int64_t i = 0; i < tile->P; i += W) {
        vf base = shifted ? load(tile->base + i) : (vf){0};
        vf sum = c ? load(tile->sum + i) : (vf){0}, m = c ? load(tile->m + i) : (vf){0};
        for (int64_t k = 0; k < classes; k++) {
            vf v = load(x[k] + i) + shift[k];
            if (shifted) v -= base;
            v = exp_(v);
            store(e + k * tile->P + i, v);
            sum += v;
            m = max_or_nan(v, m);
        }
        store(tile->sum + i, sum);
        store(tile->m + i, m);
    }
}

/* Exponentials of every class as they are; whether none is too large or too small. */
static int exponentials_fit(Tile *tile) {
    const Call *call = tile->call;
    int64_t P = tile->P, c = 0;
    for (; c + 4 <= call->C; c += 4) exponentials(tile, c, 4, 0);
    for (; c < call->C; c++) exponentials(tile, c, 1, 0);
    vm fine = le((vf){0}, (vf){0});
    for (int64_t i = 0; i < P; i += W)
        fine = (vm)(fine & both(lt(all(1e-20f), load(tile->m + i)), lt(load(tile->sum + i), all(1e20f))));
    return !any(not(fine));
}

/* Exponentials of a tile, their sums, and what all but the largest come to. */
static void softmax_of(Tile *tile) {
    const Call *call = tile->call;
    int64_t P = tile->P, c = 0;
    int fit = exponentials_fit(tile);
    if (!fit && !tile->ready && tile->raw) tile->raw = 0, fit = exponentials_fit(tile);
    if (!fit) { /* large logits, or NaN: once more, less the largest */
        for (int64_t i = 0; i < P; i++) tile->base[i] = -INFINITY;
        for (c = 0; c < call->C; c++) {
            const float *x = logits(tile, c);
            float shift = shift_of(call, c);
            for (int64_t i = 0; i < P; i += W)
                store(tile->base + i, max_or_nan(load(x + i) + shift, load(tile->base + i)));
        }
        for (c = 0; c < call->C; c++) exponentials(tile, c, 1, 1);
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
        memset(tile->total, 0, (size_t)P * 4);
        for (c = 0; c < call->C; c++)
            for (int64_t i = 0; i < P; i += W) {
                vf e = load(tile->e + c * P + i);
                store(tile->total + i, add_where(lt(e, load(tile->m + i)), load(tile->total + i), e));
            }
        for (int64_t i = 0; i < P; i += W) {
            vf m = load(tile->m + i), others = load(tile->others + i);
            others = pick(lt(others, m * CERTAIN), load(tile->total + i), others);
            store(tile->others + i, others);
            store(tile->sum + i, m + others);
        }
    }
    for (int64_t i = 0; i < P; i += W) store(tile->inverse + i, reciprocal(load(tile->sum + i)));
}

/* log p: of the largest class from the others' share of it, of any other class from its p. */
INLINE vf log_share(vm close, vf p, vf others) {
    vf curve = log1p_unit(pick(close, others, mantissa_of(p) - 1.0f));
    vf l = fma_(exponent_of(p), all(0.693359375f), fma_(exponent_of(p), all(-2.12194440e-4f), curve));
    return pick(close, all(0.0f) - curve, pick(eq(p, p), l, p));
}

/* The exponential of the truth at W positions. A gather costs more than a look at a few rows. */
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

/* p, 1 - p and log p of the truth at each position. */
static void truth_of(Tile *tile) {
    int64_t P = tile->P;
    int few = tile->call->C <= 8;
    for (int64_t i = 0; i < P; i += W) {
        vf e = few ? pick_rows(tile, i) : gather_rows(tile, i);
        vf m = load(tile->m + i), others = load(tile->others + i), inverse = load(tile->inverse + i);
        vf p = e * inverse;
        vm largest = eq(e, m);
        vf q = pick(largest, others * inverse, all(1.0f) - p);
        store(tile->truth_p + i, p);
        store(tile->truth_q + i, q);
        store(tile->truth_top + i, pick(largest, (vf){0}, all(1.0f))); /* 0: the truth is the largest */
        if (!tile->logs) continue;
        vm close = both(largest, le(others, m));
        store(tile->truth_log + i, log_share(close, p, others * reciprocal(m)));
        if (any(lt(min_or_nan(e, p), all(TINY))))
            for (int64_t k = i; k < i + W; k++) {
                int64_t c = tile->index[k];
                if (c < 0 || (tile->truth_p[k] >= TINY && tile->e[c * P + k] >= TINY)) continue;
                double x = number_at(&tile->call->input, offset_of(&tile->call->input, tile->n, c, tile->s + k));
                tile->truth_log[k] = (float)(x + shift_of(tile->call, c) - tile->base[k] - log(tile->sum[k]));
            }
    }
}

/* Few classes: each takes its own positions from whole rows. */
INLINE void sum_by_mask(Tile *tile, double *histogram, double *sums, const int64_t terms) {
    const Call *call = tile->call;
    const int64_t P = tile->P, stride = 4 * (1 + (terms + 2) / 4), pred = call->region[PRED];
    for (int64_t c = 0; c < call->C; c++) {
        const float *e = tile->e + c * P;
        vf tp = {0}, fn = {0}, fp = {0}, target = {0}, priced[MOST_TERMS];
        for (int64_t j = 0; j < terms; j++) priced[j] = (vf){0};
        for (int64_t i = 0; i < P; i += W) {
            vm own = eq_int(load_int(tile->index + i), all_int((int32_t)c));
            if (terms) priced[0] = add_where(own, priced[0], load(tile->prices + i));
            for (int64_t j = 1; j < terms; j++) priced[j] = add_where(own, priced[j], load(tile->prices + j * P + i));
            if (tile->region) {
                tp = add_where(own, tp, load(tile->truth_p + i));
                fn = add_where(own, fn, load(tile->truth_q + i));
                fp = fma_where(not(own), load(e + i), load(tile->total + i), fp);
            }
            if (tile->targets) target = add_where(own, target, load(tile->w + i));
        }
        double *into = histogram + c * stride;
        into[0] += sum_of(target), into[1] += sum_of(tp), into[2] += sum_of(fn);
        for (int64_t j = 0; j < terms; j++) into[3 + j] += sum_of(priced[j]);
        if (pred >= 0) sums[c * call->K + pred] += sum_of(fp);
    }
}

/* Many: each position goes to its class. */
static void sum_by_position(Tile *tile, double *histogram, double *sums) {
    typedef double four __attribute__((vector_size(32), aligned(8)));
    const Call *call = tile->call;
    const int64_t P = tile->P, terms = call->terms, groups = 1 + (terms + 2) / 4, pred = call->region[PRED];
    four *by_class = (four *)histogram;
    const float *prices = tile->prices;
    for (int64_t i = 0; i < tile->len; i++) {
        if (tile->index[i] < 0) continue;
        four *at = by_class + tile->index[i] * groups;
        at[0] += (four){tile->w[i], tile->truth_p[i], tile->truth_q[i], terms ? prices[i] : 0};
        for (int64_t j = 1; j < terms; j += 4)
            at[1 + j / 4] += (four){prices[j * P + i], j + 1 < terms ? prices[(j + 1) * P + i] : 0,
                                    j + 2 < terms ? prices[(j + 2) * P + i] : 0,
                                    j + 3 < terms ? prices[(j + 3) * P + i] : 0};
    }
    for (int64_t c = 0; pred >= 0 && c < call->C; c++) {
        const float *e = tile->e + c * P;
        vf fp = {0};
        for (int64_t i = 0; i < P; i += W) {
            vm wrong = not(eq_int(load_int(tile->index + i), all_int((int32_t)c)));
            fp = fma_where(wrong, load(e + i), load(tile->total + i), fp);
        }
        sums[c * call->K + pred] += sum_of(fp);
    }
}

/* Sums of each class, for class indices: true ones by the class of the truth, for add_histogram(), and false positives. */
static void sum_indices(Tile *tile, double *sums) {
    const Call *call = tile->call;
    const int64_t P = tile->P, K = call->K, *region = call->region;
    if (region[PRED] >= 0)
        for (int64_t i = 0; i < P; i += W) store(tile->total + i, load(tile->inverse + i) * load(tile->w + i));
    if (region[COUNT] >= 0) {
        vf count = {0};
        for (int64_t i = 0; i < P; i += W) count += load(tile->w + i);
        double counted = sum_of(count);
        for (int64_t c = 0; c < call->C; c++) sums[c * K + region[COUNT]] += counted;
    }
    if (call->C > 32)
        sum_by_position(tile, tile->histogram, sums);
    else if (call->terms == 0)
        sum_by_mask(tile, tile->histogram, sums, 0);
    else if (call->terms == 1)
        sum_by_mask(tile, tile->histogram, sums, 1);
    else
        sum_by_mask(tile, tile->histogram, sums, call->terms);
}

/* The histogram of a whole piece, at its end. */
static void add_histogram(const Call *call, const double *histogram, double *sums) {
    int64_t groups = 1 + (call->terms + 2) / 4;
    for (int64_t c = 0; c < call->C; c++) {
        const double *at = histogram + c * groups * 4;
        double *into = sums + c * call->K, right = true_positives(at[1], at[2], at[0]);
        if (call->region[TARGET] >= 0) into[call->region[TARGET]] += at[0];
        if (call->region[TP] >= 0) into[call->region[TP]] += right;
        if (call->region[PRED] >= 0) into[call->region[PRED]] += right;
        for (int64_t j = 0; j < call->terms; j++)
            if (call->term[j].truth[0] >= 0) into[call->term[j].truth[0]] += at[3 + j];
    }
}
