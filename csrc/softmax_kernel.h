#pragma once
#include "softmax_few.h"
#include "softmax_general.h"
#include <float.h>

/* Each position's terms, and what its truth adds to the slopes. */
static void price_truth(Tile *tile) {
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
            Priced priced = price(call->term + j, l, p, q);
            store(tile->prices + j * P + i, priced.value * w);
            if (grad) added = fma_(lookup(tile->factors + (REGION_COLUMNS + 2 * j) * C, C, at), priced.slope, added);
        }
        store(tile->added + i, keep(known, added));
        store(tile->truth_p + i, p * w);
        store(tile->truth_q + i, q * w);
    }
}

/* The coefficients of a sample as floats, by column and then class. */
static void read_factors(Tile *tile) {
    const Call *call = tile->call;
    int64_t C = call->C, K = call->K;
    memset(tile->factors, 0, (size_t)((REGION_COLUMNS + 2 * call->terms) * C) * 4);
    tile->odd = 0;
    for (int64_t k = 0; k < C * K; k++) tile->odd |= !(fabs(tile->coefficients[k]) <= FLT_MAX);
    for (int64_t c = 0; c < C; c++) {
        const double *from = tile->coefficients + c * K;
        float *to = tile->factors + c;
        for (int k = 0; k < REGION_COLUMNS; k++)
            if (call->region[k] >= 0) to[k * C] = (float)from[call->region[k]];
        for (int64_t j = 0; j < call->terms; j++, to += 2 * C) {
            if (call->term[j].truth[0] >= 0) to[REGION_COLUMNS * C] = (float)from[call->term[j].truth[0]];
            if (call->term[j].every[0] >= 0) to[(REGION_COLUMNS + 1) * C] = (float)from[call->term[j].every[0]];
        }
    }
}

static int softmax_is_general(const Call *call) {
    const int64_t *region = call->region;
    int general = call->dense || region[PRED_SQ] >= 0 || region[TARGET_SQ] >= 0 || region[ABS_DIFF] >= 0;
    for (int64_t j = 0; j < call->terms; j++) general |= call->term[j].every[0] >= 0;
    return general;
}

static void softmax_kernel(const Call *call, Tiling tiling, Piece *piece) {
    int64_t P = (tiling.tile + W - 1) / W * W, C = call->C, groups = 1 + (call->terms + 2) / 4;
    int general = softmax_is_general(call), transposed = side_by_side(call, &call->input);
    int across = side_by_side(call, &call->gradient);
    int few = !general && C <= FEW;
    int64_t room = general || few ? C * P : transposed || across ? C * W : 0;
    int64_t large = C * P + room + (transposed ? C * P : 0), rows = 22 + call->terms;
    size_t floats = (size_t)(large + rows * P + (REGION_COLUMNS + 2 * call->terms) * C + 64 + 32);
    size_t bytes = floats * 4 + (size_t)(C * groups) * 32 + (size_t)P + 64 * 32; /* each part starts at a multiple of 64 */
    char *memory = aligned_alloc(64, (bytes + 63) & ~(size_t)63), *next = memory;
    Tile tile = {.call = call, .piece = piece, .P = P, .transposed = transposed, .across = across,
                 .region = call->region[TP] >= 0 || call->region[PRED] >= 0,
                 .targets = call->region[TP] >= 0 || call->region[PRED] >= 0 || call->region[TARGET] >= 0};
#define TAKE(size) (void *)next; next += ((size_t)(size) + 63) & ~(size_t)63
    tile.e = TAKE(C * P * 4);
    tile.histogram = TAKE(C * groups * 32);
    tile.x = TAKE(transposed ? C * P * 4 : 0);
    tile.r = TAKE(room * 4);
    tile.rows = TAKE(4 * P * 4);
    tile.factors = TAKE((REGION_COLUMNS + 2 * call->terms) * C * 4 + 128); /* lookup() reads on */
    tile.prices = TAKE(call->terms * P * 4);
    float **each[] = {&tile.base,    &tile.m,         &tile.sum,   &tile.others, &tile.inverse,
                      &tile.w,       &tile.truth_p, &tile.truth_q,   &tile.truth_log, &tile.added, &tile.total,
                      &tile.top,     &tile.labels,  &tile.row_sum, &tile.truth_top};
    for (size_t k = 0; k < sizeof each / sizeof *each; k++) {
        *each[k] = TAKE(P * 4);
    }
    tile.index = TAKE(P * 4);
    tile.counts = TAKE(P);
#undef TAKE
    memset(tile.histogram, 0, (size_t)(C * groups) * 32);
    memset(tile.index, 0xff, (size_t)P * 4);
    for (int64_t j = 0; j < call->terms; j++) tile.logs |= piece->totals || !is_log(call->term + j);
    piece->without_parts = call->parts == WRITE_PARTS && !few;
    int64_t sample = -1;
    for (int64_t unit = piece->first; unit < piece->last; unit++) {
        tile.n = unit / tiling.per_sample, tile.s = unit % tiling.per_sample * tiling.tile;
        tile.len = call->S - tile.s < tiling.tile ? call->S - tile.s : tiling.tile;
        if (call->coefficients && tile.n != sample) {
            sample = tile.n;
            tile.coefficients = call->coefficients + sample * call->coefficients_n;
            read_factors(&tile);
        }
        read_positions(&tile);
        if (transposed && call->parts != READ_PARTS) transpose_in(&tile);
        if (few) {
            few_tile(&tile, piece->totals);
            continue;
        }
        softmax_of(&tile);
        if (general) {
            price_elements(&tile, piece->totals);
            if (call->coefficients) gradient_elements(&tile);
            continue;
        }
        truth_of(&tile);
        price_truth(&tile);
        if (piece->totals) sum_indices(&tile, piece->totals);
        if (call->coefficients) gradient_indices(&tile);
    }
    if (piece->totals && !general) add_histogram(call, tile.histogram, piece->totals);
    if (call->stream) fence();
    free(memory);
}
