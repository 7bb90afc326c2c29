/* Selects the softmax kernel of a tile: few classes, class indices, or columns over every element. */
#pragma once
#include "softmax_few.h"
#include "softmax_general.h"
#include <float.h>

/* The terms of each position, and the contribution of the true class to the slopes. */
static void truth_terms(Tile *tile) {
    const Call *call = tile->call;
    int64_t P = tile->P, C = call->C;
    int grad = tile->coefficients != 0, region = grad && call->region[TP] >= 0;
    for (int64_t i = 0; i < P; i += W) {
        vi at = load_int(tile->index + i);
        vm known = not(eq_int(at, all_int(-1)));
        vf l = load(tile->truth_log + i), p = load(tile->truth_p + i), q = load(tile->truth_q + i), added = {0};
        vf w = load(tile->w + i);
        if (region) added = lookup(tile->factors + TP * C, C, at) * p;
        for (int64_t j = 0; j < call->terms; j++) {
            if (call->term[j].program) continue;
            TermValue evaluated = term_value(call->term + j, l, p, q);
            store(tile->term_values + j * P + i, evaluated.value * w);
            if (grad) added = fma_(lookup(tile->factors + (REGION_COLUMNS + 2 * j) * C, C, at), evaluated.slope, added);
        }
        store(tile->added + i, keep(known, added));
        store(tile->truth_p + i, p * w);
        store(tile->truth_q + i, q * w);
    }
}

/* The same for terms that are programs. */
static void truth_formulas(Tile *tile) {
    const Call *call = tile->call;
    const int64_t P = tile->P, C = call->C;
    for (int64_t j = 0; j < call->terms; j++) {
        if (!call->term[j].program) continue;
        const float *logs = tile->truth_log;
        float *value = tile->term_values + j * P, *slope = tile->coefficients ? tile->term_slopes + j * P : 0;
        evaluate_program(call->term[j].program, &logs, P, value, slope, tile->scratch);
        for (int64_t i = 0; i < P; i += W) {
            store(value + i, load(value + i) * load(tile->w + i));
            if (!slope) continue;
            vi at = load_int(tile->index + i);
            vf factor = lookup(tile->factors + (REGION_COLUMNS + 2 * j) * C, C, at);
            vf more = keep(not(eq_int(at, all_int(-1))), factor * load(slope + i));
            store(tile->added + i, load(tile->added + i) + more);
        }
    }
}

/* The coefficients of a sample as floats, by column, then class. */
static void read_factors(Tile *tile) {
    const Call *call = tile->call;
    int64_t C = call->C, K = call->K;
    memset(tile->factors, 0, (size_t)((REGION_COLUMNS + 2 * call->terms) * C) * 4);
    tile->nonfinite_coefficients = 0;
    for (int64_t k = 0; k < C * K; k++) tile->nonfinite_coefficients |= !(fabs(tile->coefficients[k]) <= FLT_MAX);
    for (int64_t c = 0; c < C; c++) {
        const double *from = tile->coefficients + c * K;
        float *to = tile->factors + c;
        for (int k = 0; k < REGION_COLUMNS; k++)
            if (call->region[k] >= 0) to[k * C] = factor_of(from[call->region[k]]);
        for (int64_t j = 0; j < call->terms; j++, to += 2 * C) {
            if (call->term[j].truth[0] >= 0) to[REGION_COLUMNS * C] = factor_of(from[call->term[j].truth[0]]);
            if (call->term[j].every[0] >= 0) to[(REGION_COLUMNS + 1) * C] = factor_of(from[call->term[j].every[0]]);
        }
    }
}

static int softmax_is_general(const Call *call) {
    const int64_t *region = call->region;
    int general = call->dense || region[PRED_SQ] >= 0 || region[TARGET_SQ] >= 0 || has_l1(call);
    for (int64_t j = 0; j < call->terms; j++) general |= call->term[j].every[0] >= 0;
    return general;
}

static void softmax_kernel(const Call *call, Tiling tiling, Piece *piece) {
    const int general = softmax_is_general(call), few = !general && call->C <= FEW_CLASSES && !has_programs(call);
    const int transposes = side_by_side(call, &call->input) || side_by_side(call, &call->gradient);
    const int64_t positions = general || few ? padded_to_vectors(tiling.tile) : transposes ? W : 0;
    Tile tile = open_tile(call, tiling, piece, call->C * positions);
    if (!tile.memory) return;
    tile.region = call->region[TP] >= 0 || call->region[PRED] >= 0;
    tile.targets = tile.region || call->region[TARGET] >= 0;
    for (int64_t j = 0; j < call->terms; j++) tile.logs |= piece->totals || !is_log(call->term + j);
    piece->activations_not_saved = call->activations == SAVE_ACTIVATIONS && !few;
    int64_t sample = -1;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        move_to(&tile, span_of(call, tiling, unit));
        if (call->coefficients && tile.n != sample) {
            sample = tile.n;
            tile.coefficients = call->coefficients + sample * call->coefficients_n;
            read_factors(&tile);
        }
        read_positions(&tile);
        if (tile.transpose_input && call->activations != USE_ACTIVATIONS) transpose_in(&tile);
        if (few) {
            few_tile(&tile, piece->totals);
            continue;
        }
        softmax_of(&tile);
        if (general) {
            sum_elements(&tile, piece->totals);
            if (call->coefficients) gradient_elements(&tile);
            continue;
        }
        truth_of(&tile);
        truth_terms(&tile);
        truth_formulas(&tile);
        if (piece->totals) sum_indices(&tile, piece->totals);
        if (call->coefficients) gradient_indices(&tile);
    }
    if (piece->totals && !general) add_histogram(call, tile.histogram, piece->totals);
    if (call->stream) fence();
    free(tile.memory);
}
