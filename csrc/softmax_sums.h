/* Sums of each class over a tile, for class indices. */
#pragma once
#include "softmax.h"

/* Few classes: for each class, select its positions from whole rows. */
INLINE void sum_by_mask(Tile *tile, double *histogram, double *sums, const int64_t terms) {
    const Call *call = tile->call;
    const int64_t P = tile->P, stride = 4 * groups_of(terms), pred = call->region[PRED];
    for (int64_t c = 0; c < call->C; c++) {
        const float *e = tile->e + c * P;
        vf tp = {0}, fn = {0}, fp = {0}, target = {0}, term_sums[MOST_TERMS];
        for (int64_t j = 0; j < terms; j++) term_sums[j] = (vf){0};
        for (int64_t i = 0; i < P; i += W) {
            vm own = eq_int(load_int(tile->index + i), all_int((int32_t)c));
            if (terms) term_sums[0] = add_where(own, term_sums[0], load(tile->term_values + i));
            for (int64_t j = 1; j < terms; j++)
                term_sums[j] = add_where(own, term_sums[j], load(tile->term_values + j * P + i));
            if (tile->region) {
                tp = add_where(own, tp, load(tile->truth_p + i));
                fn = add_where(own, fn, load(tile->truth_q + i));
                fp = fma_where(not(own), load(e + i), load(tile->total + i), fp);
            }
            if (tile->targets) target = add_where(own, target, load(tile->w + i));
        }
        double *into = histogram + c * stride;
        into[0] += sum_of(target), into[1] += sum_of(tp), into[2] += sum_of(fn);
        for (int64_t j = 0; j < terms; j++) into[3 + j] += sum_of(term_sums[j]);
        if (pred >= 0) sums[c * call->K + pred] += sum_of(fp);
    }
}

/* Many classes: add each position to its class. */
static void sum_by_position(Tile *tile, double *histogram, double *sums) {
    typedef double four __attribute__((vector_size(32), aligned(8)));
    const Call *call = tile->call;
    const int64_t P = tile->P, terms = call->terms, groups = groups_of(terms), pred = call->region[PRED];
    four *by_class = (four *)histogram;
    const float *values = tile->term_values;
    for (int64_t i = 0; i < tile->len; i++) {
        if (tile->index[i] < 0) continue;
        four *at = by_class + tile->index[i] * groups;
        at[0] += (four){tile->w[i], tile->truth_p[i], tile->truth_q[i], terms ? values[i] : 0};
        for (int64_t j = 1; j < terms; j += 4)
            at[1 + j / 4] += (four){values[j * P + i], j + 1 < terms ? values[(j + 1) * P + i] : 0,
                                    j + 2 < terms ? values[(j + 2) * P + i] : 0,
                                    j + 3 < terms ? values[(j + 3) * P + i] : 0};
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

/* Sums of each class for class indices: by true class, for add_histogram(), and false positives. */
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

/* Adds the histogram of a whole piece, at its end. */
static void add_histogram(const Call *call, const double *histogram, double *sums) {
    int64_t groups = groups_of(call->terms);
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
