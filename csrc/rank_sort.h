/* Rank losses: sorts keys by error in descending order, and computes the increments of the Jaccard loss. */
#pragma once
#include "rank_errors.h"

/* The keys ranked together: `rows` rows of S keys, `step` apart. */
typedef struct {
    uint32_t *keys;
    int64_t rows, step, S;
    uint32_t low, high; /* range of the keys whose increment can be positive */
    int width;          /* bits of a digit */
} Group;

typedef struct {
    int64_t count, positives;
    uint32_t lowest_positive, lowest, highest; /* lowest: with an error above 0. None: ABSENT, or highest = 0 */
} Summary;

static void summarize_key(Summary *all, uint32_t key) {
    if (key == ABSENT) return;
    all->count++;
    all->positives += key & 1;
    if (key & 1 && key < all->lowest_positive) all->lowest_positive = key;
    if (key > 1 && key < all->lowest) all->lowest = key;
    if (key > all->highest) all->highest = key;
}

INLINE vi either(vi which, vi yes, vi no) { return (yes & which) | (no & ~which); }
INLINE vi lesser(vi a, vi b) { return either(a < b, a, b); }

static Summary summarize(const Group *group) {
    Summary all = {.lowest_positive = ABSENT, .lowest = ABSENT};
    const vi flip = all_int(INT32_MIN), none = all_int(INT32_MAX); /* with the sign bit flipped, keys compare as signed integers */
    for (int64_t row = 0; row < group->rows; row++) {
        const uint32_t *keys = group->keys + row * group->step;
        int64_t whole = group->S / W * W;
        for (int64_t from = 0; from < whole; from += 4096) {
            int64_t to = from + 4096 < whole ? from + 4096 : whole;
            vi count = {0}, positives = {0}, lowest_positive = none, lowest = none, highest = none;
            for (int64_t i = from; i < to; i += W) {
                vi key = load_int((const int32_t *)keys + i), counts = key != -1, flipped = key ^ flip;
                count -= counts;
                positives += key & counts & 1;
                lowest_positive = lesser(lowest_positive, either((key & 1) != 0, flipped, none));
                lowest = lesser(lowest, either((key & ~1) != 0, flipped, none));
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
        for (int64_t i = whole; i < group->S; i++) summarize_key(&all, keys[i]);
    }
    return all;
}

/* An element to sort: the distance of its error from the highest, its label, and the place of its key. */
INLINE uint64_t element_of(const Group *group, uint32_t key, uint64_t place) {
    return (uint64_t)(((group->high >> 1) - (key >> 1)) << 1 | (key & 1)) << 32 | place;
}

/* The elements whose increment can be positive, in order, and a histogram of each digit; for the last digit the upper
 * half counts positive labels. Often most keys of a row are skipped. */
static int64_t take_elements(const Group *group, int digits, uint64_t counts[3][1 << DIGIT], uint64_t *out) {
    uint32_t low = group->low, span = group->high - low;
    uint64_t mask = (1u << group->width) - 1;
    int width = group->width, top = 33 + (digits - 1) * width;
    memset(counts, 0, 3 * sizeof *counts);
    uint64_t *next = out;
    for (int64_t row = 0; row < group->rows; row++) {
        const uint32_t *keys = group->keys + row * group->step;
        uint64_t place = (uint64_t)(row * group->step);
        for (int64_t from = 0; from < group->S; from += 16) {
            uint32_t found = 0, len = group->S - from < 16 ? (uint32_t)(group->S - from) : 16;
            const uint64_t *first = next;
            if (len == 16) {
                for (int64_t k = 0; k < 16; k++) found |= keys[from + k] - low <= span;
                if (!found) continue;
            }
            for (uint32_t k = 0; k < len; k++) {
                uint32_t key = keys[from + k];
                *next = element_of(group, key, place + (uint64_t)from + k);
                next += key - low <= span;
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

/* The start of the elements of each digit. */
static void prefix_sums(uint64_t *counts, int64_t size) {
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

/* Elements are not sorted by the last (highest) digit: its prefix sums `before` count what ranks before an element.
 * Returns the sum of errors times increments, and replaces the keys by increments if requested. */
static double sum_increments(const Group *group, const uint64_t *in, int64_t count, int shift, uint64_t *before,
                             int64_t positives, float *increments) {
    enum { BLOCK = 256, LANES = 8 };
    uint64_t seen[BLOCK], elements[BLOCK] = {0};
    double products[BLOCK], sums[LANES] = {0}, sum = 0;
    float signed_[BLOCK];
    uint32_t highest = group->high >> 1;
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
            int64_t intersection = positives - right, union_ = positives + wrong; /* before this element */
            double increment = (double)(label ? 1 : intersection) / ((double)union_ * (double)(label ? 1 : union_ + 1));
            uint32_t bits = highest - (uint32_t)(elements[k] >> 33);
            float error;
            memcpy(&error, &bits, 4);
            products[k] = k < len ? increment * (double)error : 0.0;
            signed_[k] = (float)(label ? -increment : increment);
        }
        for (int64_t k = 0; k < BLOCK; k += LANES)
            for (int64_t j = 0; j < LANES; j++) sums[j] += products[k + j];
        for (int64_t k = 0; increments && k < len; k++) increments[(uint32_t)elements[k]] = signed_[k];
    }
    for (int64_t j = 0; j < LANES; j++) sum += sums[j];
    return sum;
}

/* Without positives the first error adds the whole loss. */
static double first_increment(const Group *group, int keep) {
    for (int64_t row = 0; row < group->rows; row++)
        for (int64_t i = 0; i < group->S; i++) {
            uint32_t key = group->keys[row * group->step + i];
            if (key == ABSENT || key < group->low) continue;
            float error, one = 1.0f;
            uint32_t bits = key >> 1;
            memcpy(&error, &bits, 4);
            for (int64_t each = 0; keep && each < group->rows; each++)
                memset(group->keys + each * group->step, 0, (size_t)group->S * 4);
            if (keep) memcpy(group->keys + row * group->step + i, &one, 4);
            return error;
        }
    return 0;
}

static double rank_group(Group *group, const Summary *summary, SortBuffers *buffers, int keep) {
    uint32_t range = (group->high >> 1) - (group->low >> 1);
    int bits = range ? 32 - __builtin_clz(range) : 1, digits = bits > 2 * DIGIT ? 3 : 2;
    group->width = (bits + digits - 1) / digits;
    size_t most = (size_t)(group->rows * group->S);
    uint64_t *elements = losskit_sort_buffer(buffers, 0, most), *other = losskit_sort_buffer(buffers, 1, most);
    if (buffers->short_of_memory) return 0;
    int64_t size = (int64_t)1 << group->width, count = take_elements(group, digits, buffers->counts, elements);
    for (int digit = 0; digit < digits; digit++) {
        prefix_sums(buffers->counts[digit], size);
        if (digit == digits - 1) break;
        scatter(elements, count, 33 + digit * group->width, (uint64_t)size - 1, buffers->counts[digit], other);
        uint64_t *sorted = other;
        other = elements, elements = sorted;
    }
    for (int64_t row = 0; keep && row < group->rows; row++)
        memset(group->keys + row * group->step, 0, (size_t)group->S * 4);
    return sum_increments(group, elements, count, 33 + (digits - 1) * group->width, buffers->counts[digits - 1],
                          summary->positives, keep ? (float *)group->keys : 0);
}

/* One sample and class, or one class of a pooled batch: its sum, and its counts of positives and elements. */
static void rank_elements(const Call *call, int64_t which, SortBuffers *buffers) {
    Group group = {.keys = call->keys + which * call->S, .rows = 1, .S = call->S};
    if (call->pooled) group.rows = call->N, group.step = call->C * call->S;
    Summary summary = summarize(&group);
    double *totals = call->totals + which * 3;
    totals[0] = 0, totals[1] = (double)summary.positives, totals[2] = (double)summary.count;
    group.high = summary.highest | 1;
    group.low = summary.positives ? summary.lowest_positive : summary.highest;
    group.low = (group.low > summary.lowest ? group.low : summary.lowest) & ~1u; /* elements without error have no slope */
    if (group.high < 2) {
        for (int64_t row = 0; call->keep_increments && row < group.rows; row++)
            memset(group.keys + row * group.step, 0, (size_t)group.S * 4);
        return;
    }
    int keep = call->keep_increments != 0;
    totals[0] = summary.positives ? rank_group(&group, &summary, buffers, keep) : first_increment(&group, keep);
}
