/* Elements ranked by their error, each priced by the Jaccard loss that it adds.
 *
 * An element is a word: its error as a float, whose order is that of its bits, over its label; ABSENT where it does not
 * count. Words become prices in the same memory, and prices a gradient.
 */
#pragma once
#include "sigmoid.h"
#include "softmax_general.h"

#define ABSENT UINT32_MAX
#define DIGIT 11 /* bits of a key sorted at once, at most */

INLINE uint32_t *words_of(const Call *call, int64_t n, int64_t c, int64_t s) {
    return call->words + (n * call->C + c) * call->S + s;
}

INLINE vi words(vf error, vm truth, vm counts) {
    error = pick(eq(error, error), error, all(NAN)); /* one NaN, above infinity and below ABSENT */
    vi word = ((vi)error << 1) | (vi)keep(truth, (vf)all_int(1));
    return (vi)pick(counts, (vf)word, (vf)all_int(-1));
}

/* Hinges [1 - x (2t - 1)]+ of len elements, a multiple of W; whether a counting t is neither 0 nor 1. */
INLINE int hinges(const float *x, const float *t, const float *w, int64_t len, int32_t *out) {
    const vf zero = {0}, one = all(1.0f);
    vm odd = lt(one, zero);
    for (int64_t i = 0; i < len; i += W) {
        vf xi = load(x + i), ti = load(t + i);
        vm positive = eq(ti, one), counts = w ? eq(load(w + i), one) : le(zero, one);
        odd = (vm)(odd | both(counts, not((vm)(positive | eq(ti, zero)))));
        vf error = max_or_nan(zero, one + pick(positive, zero - xi, xi));
        store((float *)out + i, (vf)words(error, positive, counts));
    }
    return any(odd);
}

static void complain_of_soft(Piece *piece, const Call *call, int64_t n, int64_t c, int64_t s, int64_t len,
                             const float *t, const uint8_t *counts) {
    for (int64_t i = 0; i < len; i++)
        if (counts[i] && t[i] > 0.0f && t[i] < 1.0f)
            complain(piece, BAD_SOFT, number_at(&call->target, offset_of(&call->target, n, c, s + i)));
}

static void sigmoid_errors(const Call *call, Tiling tiling, Piece *piece) {
    const Rows rows = rows_for(tiling);
    int inside = call->has_ignore && (call->ignore == 0 || call->ignore == 1);
    int careful = call->mask.data || inside;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        int64_t n = unit / tiling.per_sample, s = unit % tiling.per_sample * tiling.tile;
        int64_t len = call->S - s < tiling.tile ? call->S - s : tiling.tile;
        for (int64_t c = 0; c < call->C; c++) {
            int32_t *out = (int32_t *)words_of(call, n, c, s);
            if (!careful && len % W == 0) {
                const float *x = row_of(rows.x, &call->input, n, c, s, len);
                if (!hinges(x, row_of(rows.t, &call->target, n, c, s, len), 0, len, out)) continue;
            }
            int64_t padded = (len + W - 1) / W * W;
            sigmoid_clean(call, piece, n, c, s, len, padded, &rows);
            neutral(&rows, padded, 0);
            if (hinges(rows.x, rows.t, rows.w, padded, (int32_t *)rows.g))
                complain_of_soft(piece, call, n, c, s, len, rows.t, rows.counts);
            memcpy(out, rows.g, (size_t)len * 4);
        }
    }
    free(rows.x);
}

/* A tile of positions by all classes, and the rows that errors and their gradient need. */
static Tile open_tile(const Call *call, Tiling tiling, Piece *piece) {
    int64_t P = (tiling.tile + W - 1) / W * W, C = call->C;
    Tile tile = {.call = call, .piece = piece, .P = P, .transposed = side_by_side(call, &call->input),
                 .across = side_by_side(call, &call->gradient)};
    float **rows[] = {&tile.base, &tile.m,     &tile.sum,    &tile.others, &tile.inverse,
                      &tile.w, &tile.total,  &tile.top,  &tile.labels, &tile.row_sum};
    int64_t count = sizeof rows / sizeof *rows;
    int64_t large = (C * P + 15) & ~(int64_t)15, small = (P + 15) & ~(int64_t)15;
    size_t floats = (size_t)(large * (2 + tile.transposed) + small * (count + 6));
    tile.e = aligned_alloc(64, floats * 4);
    float *next = tile.e + large;
    tile.r = next, next += large;
    if (tile.transposed) tile.x = next, next += large;
    for (int64_t k = 0; k < count; k++, next += small) *rows[k] = next;
    tile.rows = next, next += 4 * small;
    tile.index = (int32_t *)next, next += small;
    tile.counts = (uint8_t *)next;
    memset(tile.index, 0xff, (size_t)P * 4);
    return tile;
}

static void read_tile(Tile *tile, Tiling tiling, int64_t unit) {
    tile->n = unit / tiling.per_sample, tile->s = unit % tiling.per_sample * tiling.tile;
    tile->len = tile->call->S - tile->s < tiling.tile ? tile->call->S - tile->s : tiling.tile;
    read_positions(tile);
    if (tile->transposed) transpose_in(tile);
    softmax_of(tile);
}

/* |t - p| of every class: of the largest from the others' share, so that none rounds to 0. */
static void softmax_errors(const Call *call, Tiling tiling, Piece *piece) {
    Tile tile = open_tile(call, tiling, piece);
    int64_t P = tile.P;
    const vf zero = {0}, half = all(0.5f), one = all(1.0f);
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        read_tile(&tile, tiling, unit);
        memset(tile.row_sum, 0, (size_t)P * 4);
        for (int64_t c = 0; c < call->C; c++) {
            if (call->dense) {
                read_labels(&tile, c);
                complain_of_soft(piece, call, tile.n, c, tile.s, tile.len, tile.labels, tile.counts);
            }
            int32_t *row = (int32_t *)words_of(call, tile.n, c, tile.s), *out = tile.len == P ? row : (int32_t *)tile.rows;
            for (int64_t i = 0; i < P; i += W) {
                vf e = load(tile.e + c * P + i), inverse = load(tile.inverse + i), p = e * inverse;
                vf q = pick(eq(e, load(tile.m + i)), load(tile.others + i) * inverse, one - p);
                vm truth = call->dense ? lt(half, load(tile.labels + i)) : eq_int(load_int(tile.index + i), all_int((int32_t)c));
                store((float *)out + i, (vf)words(pick(truth, q, p), truth, lt(zero, load(tile.w + i))));
            }
            if (out != row) memcpy(row, out, (size_t)tile.len * 4);
        }
        if (call->dense) check_rows(&tile);
    }
    free(tile.e);
}

/* A price times what its class counts for. */
INLINE vf by_class(const float *prices, float factor) {
    vf price = load(prices);
    return or_zero(eq(price, (vf){0}), price * factor);
}

static float factor_of(const Call *call, int64_t n, int64_t c) {
    return (float)call->coefficients[n * call->coefficients_n + c * call->K];
}

static void sigmoid_chain(const Call *call, Tiling tiling, Piece *piece) {
    int64_t wide = (tiling.tile + W - 1) / W * W;
    float *row = aligned_alloc(64, (size_t)(wide * 4 + 63) & ~(size_t)63);
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        int64_t n = unit / tiling.per_sample, s = unit % tiling.per_sample * tiling.tile;
        int64_t len = call->S - s < tiling.tile ? call->S - s : tiling.tile;
        for (int64_t c = 0; c < call->C; c++) {
            const float *prices = (const float *)words_of(call, n, c, s);
            float factor = factor_of(call, n, c);
            int direct = is_plain(&call->gradient) && len % W == 0;
            float *out = direct ? (float *)call->gradient.data + offset_of(&call->gradient, n, c, s) : row;
            if (len % W) memcpy(row, prices, (size_t)len * 4), prices = row;
            for (int64_t i = 0; i < len; i += W) store(out + i, by_class(prices + i, factor));
            if (!direct) store_row(&call->gradient, n, c, s, row, len);
        }
    }
    free(row);
}

static void softmax_chain(const Call *call, Tiling tiling, Piece *piece) {
    Tile tile = open_tile(call, tiling, piece);
    int64_t P = tile.P;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        read_tile(&tile, tiling, unit);
        memset(tile.total, 0, (size_t)P * 4);
        memset(tile.top, 0, (size_t)P * 4);
        for (int64_t c = 0; c < call->C; c++) {
            const float *prices = (const float *)words_of(call, tile.n, c, tile.s);
            float factor = factor_of(call, tile.n, c);
            if (tile.len < P) {
                memset(tile.rows, 0, (size_t)P * 4);
                prices = memcpy(tile.rows, prices, (size_t)tile.len * 4);
            }
            for (int64_t i = 0; i < P; i += W) {
                vf e = load(tile.e + c * P + i), r = e * load(tile.inverse + i) * by_class(prices + i, factor);
                vm top = eq(e, load(tile.m + i));
                store(tile.r + c * P + i, r);
                store(tile.total + i, add_where(not(top), load(tile.total + i), r));
                store(tile.top + i, add_where(top, load(tile.top + i), r));
            }
        }
        gradient_elements(&tile);
    }
    free(tile.e);
}

/* What is ranked together: `rows` rows of S words, `step` apart. */
typedef struct {
    uint32_t *words;
    int64_t rows, step, S;
    uint32_t low, high; /* the words that can have a price */
    int width;          /* bits of a digit */
} Field;

typedef struct {
    int64_t count, positives;
    uint32_t lowest_positive, lowest, highest; /* lowest: of those with an error; ABSENT, and 0, where there is none */
} Summary;

static void summarize_word(Summary *all, uint32_t word) {
    if (word == ABSENT) return;
    all->count++;
    all->positives += word & 1;
    if (word & 1 && word < all->lowest_positive) all->lowest_positive = word;
    if (word > 1 && word < all->lowest) all->lowest = word;
    if (word > all->highest) all->highest = word;
}

INLINE vi either(vi which, vi yes, vi no) { return (yes & which) | (no & ~which); }
INLINE vi lesser(vi a, vi b) { return either(a < b, a, b); }

static Summary summarize(const Field *field) {
    Summary all = {.lowest_positive = ABSENT, .lowest = ABSENT};
    const vi flip = all_int(INT32_MIN), none = all_int(INT32_MAX); /* flipped, words compare as signed numbers */
    for (int64_t row = 0; row < field->rows; row++) {
        const uint32_t *words = field->words + row * field->step;
        int64_t whole = field->S / W * W;
        for (int64_t from = 0; from < whole; from += 4096) {
            int64_t to = from + 4096 < whole ? from + 4096 : whole;
            vi count = {0}, positives = {0}, lowest_positive = none, lowest = none, highest = none;
            for (int64_t i = from; i < to; i += W) {
                vi word = load_int((const int32_t *)words + i), counts = word != -1, flipped = word ^ flip;
                count -= counts;
                positives += word & counts & 1;
                lowest_positive = lesser(lowest_positive, either((word & 1) != 0, flipped, none));
                lowest = lesser(lowest, either((word & ~1) != 0, flipped, none));
                highest = lesser(highest, either(counts, ~flipped, none));
            }
            for (int k = 0; k < W; k++) {
                uint32_t a = (uint32_t)(lowest_positive ^ flip)[k], b = (uint32_t)(lowest ^ flip)[k];
                uint32_t c = (uint32_t)(~highest ^ flip)[k];
                all.count += count[k], all.positives += positives[k];
                all.lowest_positive = a < all.lowest_positive ? a : all.lowest_positive;
                all.lowest = b < all.lowest ? b : all.lowest;
                all.highest = c > all.highest ? c : all.highest;
            }
        }
        for (int64_t i = whole; i < field->S; i++) summarize_word(&all, words[i]);
    }
    return all;
}

/* An element: how far its error lies below the highest, its label, and how far its word lies from the first. */
INLINE uint64_t element_of(const Field *field, uint32_t word, uint64_t place) {
    return (uint64_t)(((field->high >> 1) - (word >> 1)) << 1 | (word & 1)) << 32 | place;
}

/* The elements that can have a price, in order, and how often each digit occurs; of the last also how often with a
 * positive label, in the upper half. Most words of a row often have none. */
static int64_t take_elements(const Field *field, int digits, uint64_t counts[3][1 << DIGIT], uint64_t *out) {
    uint32_t low = field->low, span = field->high - low;
    uint64_t mask = (1u << field->width) - 1;
    int width = field->width, top = 33 + (digits - 1) * width;
    memset(counts, 0, 3 * sizeof *counts);
    uint64_t *next = out;
    for (int64_t row = 0; row < field->rows; row++) {
        const uint32_t *words = field->words + row * field->step;
        uint64_t place = (uint64_t)(row * field->step);
        for (int64_t from = 0; from < field->S; from += 16) {
            uint32_t found = 0, len = field->S - from < 16 ? (uint32_t)(field->S - from) : 16;
            const uint64_t *first = next;
            if (len == 16) {
                for (int64_t k = 0; k < 16; k++) found |= words[from + k] - low <= span;
                if (!found) continue;
            }
            for (uint32_t k = 0; k < len; k++) {
                uint32_t word = words[from + k];
                *next = element_of(field, word, place + (uint64_t)from + k);
                next += word - low <= span;
            }
            for (; first < next; first++) {
                counts[0][*first >> 33 & mask]++;
                if (digits == 3) counts[1][*first >> (33 + width) & mask]++;
                counts[digits - 1][*first >> top] += (*first & (1ull << 32)) | 1;
            }
        }
    }
    return next - out;
}

/* Where the elements of each digit start. */
static void starts(uint64_t *counts, int64_t size) {
    uint64_t sum = 0;
    for (int64_t k = 0; k < size; k++) {
        uint64_t count = counts[k];
        counts[k] = sum;
        sum += count;
    }
}

static void scatter(const uint64_t *in, int64_t count, int shift, uint64_t mask, uint64_t *starts, uint64_t *out) {
    for (int64_t i = 0; i < count; i++) out[starts[in[i] >> shift & mask]++] = in[i];
}

/* The last digit is not sorted by: what comes before an element is known from the digits above its own. Returns the sum
 * of errors times prices, and leaves prices, with the sign of the slope of an error, where the words were. */
static double price_elements_by(const Field *field, const uint64_t *in, int64_t count, int shift, uint64_t *before,
                                int64_t positives, float *prices) {
    enum { BLOCK = 256, LANES = 8 };
    uint64_t seen[BLOCK], elements[BLOCK] = {0};
    double parts[BLOCK], sums[LANES] = {0}, sum = 0;
    float signed_[BLOCK];
    uint32_t highest = field->high >> 1;
    memset(seen, 0, sizeof seen);
    for (int64_t from = 0; from < count; from += BLOCK) {
        int64_t len = count - from < BLOCK ? count - from : BLOCK;
        for (int64_t k = 0; k < len; k++) {
            uint64_t element = in[from + k], *at = before + (element >> shift);
            elements[k] = element, seen[k] = *at;
            *at += (element & (1ull << 32)) | 1;
        }
        for (int64_t k = 0; k < BLOCK; k++) {
            int64_t label = (int64_t)(elements[k] >> 32 & 1), right = (int64_t)(seen[k] >> 32);
            int64_t wrong = (int64_t)(seen[k] & UINT32_MAX) - right;
            int64_t common = positives - right, all_ = positives + wrong; /* of prediction and truth, before this mistake */
            double price = (double)(label ? 1 : common) / ((double)all_ * (double)(label ? 1 : all_ + 1));
            uint32_t bits = highest - (uint32_t)(elements[k] >> 33);
            float error;
            memcpy(&error, &bits, 4);
            parts[k] = k < len ? price * (double)error : 0.0;
            signed_[k] = (float)(label ? -price : price);
        }
        for (int64_t k = 0; k < BLOCK; k += LANES)
            for (int64_t j = 0; j < LANES; j++) sums[j] += parts[k + j];
        for (int64_t k = 0; prices && k < len; k++) prices[(uint32_t)elements[k]] = signed_[k];
    }
    for (int64_t j = 0; j < LANES; j++) sum += sums[j];
    return sum;
}

/* Without positives the first mistake costs everything. */
static double price_first(const Field *field, int priced) {
    for (int64_t row = 0; row < field->rows; row++)
        for (int64_t i = 0; i < field->S; i++) {
            uint32_t word = field->words[row * field->step + i];
            if (word == ABSENT || word < field->low) continue;
            float error, one = 1.0f;
            uint32_t bits = word >> 1;
            memcpy(&error, &bits, 4);
            for (int64_t each = 0; priced && each < field->rows; each++)
                memset(field->words + each * field->step, 0, (size_t)field->S * 4);
            if (priced) memcpy(field->words + row * field->step + i, &one, 4);
            return error;
        }
    return 0;
}

static double rank_field(Field *field, const Summary *summary, Bench *bench, int priced) {
    uint32_t range = (field->high >> 1) - (field->low >> 1);
    int bits = range ? 32 - __builtin_clz(range) : 1, digits = bits > 2 * DIGIT ? 3 : 2;
    field->width = (bits + digits - 1) / digits;
    size_t room = (size_t)(field->rows * field->S);
    uint64_t *elements = losskit_room(bench, 0, room), *other = losskit_room(bench, 1, room);
    if (bench->short_of_memory) return 0;
    int64_t size = (int64_t)1 << field->width, count = take_elements(field, digits, bench->counts, elements);
    for (int digit = 0; digit < digits; digit++) {
        starts(bench->counts[digit], size);
        if (digit == digits - 1) break;
        scatter(elements, count, 33 + digit * field->width, (uint64_t)size - 1, bench->counts[digit], other);
        uint64_t *sorted = other;
        other = elements, elements = sorted;
    }
    for (int64_t row = 0; priced && row < field->rows; row++)
        memset(field->words + row * field->step, 0, (size_t)field->S * 4);
    return price_elements_by(field, elements, count, 33 + (digits - 1) * field->width, bench->counts[digits - 1],
                             summary->positives,
                             priced ? (float *)field->words : 0);
}

/* One sample and class, or one class of a pooled batch: its sum, its positives and what counts. */
static void rank_elements(const Call *call, int64_t which, Bench *bench) {
    Field field = {.words = call->words + which * call->S, .rows = 1, .S = call->S};
    if (call->pooled) field.rows = call->N, field.step = call->C * call->S;
    Summary summary = summarize(&field);
    double *totals = call->totals + which * 3;
    totals[0] = 0, totals[1] = (double)summary.positives, totals[2] = (double)summary.count;
    field.high = summary.highest | 1;
    field.low = summary.positives ? summary.lowest_positive : summary.highest;
    field.low = (field.low > summary.lowest ? field.low : summary.lowest) & ~1u; /* without an error there is no slope */
    if (field.high < 2) {
        for (int64_t row = 0; call->priced && row < field.rows; row++)
            memset(field.words + row * field.step, 0, (size_t)field.S * 4);
        return;
    }
    int priced = call->priced != 0;
    totals[0] = summary.positives ? rank_field(&field, &summary, bench, priced) : price_first(&field, priced);
}
