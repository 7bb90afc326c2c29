/* Totals and their gradient in one pass over memory. Work is divided into pieces of fixed size whose sums are added in
 * a fixed order, so that results are bitwise independent of the number of threads. */
#include "call.h"
#include "memory.h"
#include "parallel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const Kernels losskit_avx512, losskit_avx2, losskit_plain;

enum { PLAIN, AVX2, AVX512 };
#define MOST_PIECES 512
#define PIECES_BYTES (512 << 10) /* of partial sums */
#ifndef TILE_BYTES
#define TILE_BYTES 262144 /* of a tile of logits: a quarter of the second cache */
#endif
#ifndef STREAM_BYTES
#define STREAM_BYTES (12ll << 20) /* gradients too large to stay in a cache */
#endif
#define LEAST_WORK 16384 /* elements per thread, at least */
#define WORTH_LARGE_PAGES (32ll << 20) /* gradients whose memory is fresh rather than reused */

static int64_t level = -1;

static int64_t best_level(void) {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("f16c"))
        return AVX2;
#endif
    return PLAIN;
}

/* The instruction set in use: 0 plain, 1 AVX2, 2 AVX-512. A request of -1 selects the best available. */
int64_t losskit_level(int64_t request) {
    int64_t best = best_level();
    level = request < 0 || request > best ? best : request;
    return level;
}

/* The interface version, which must match that of the Python files. */
int64_t losskit_abi(void) { return FINGERPRINT << 16 | (int64_t)sizeof(Call); }

const Kernels *losskit_kernels(void) {
    if (level < 0) losskit_level(-1);
    return level == AVX512 ? &losskit_avx512 : level == AVX2 ? &losskit_avx2 : &losskit_plain;
}

/* Sums of weights become NaN if a weight is invalid. Sums of terms stay, for losses with another denominator. */
static void invalidate_sizes(const Call *call, int64_t rows) {
    for (int64_t i = 0; i < rows; i++)
        for (int k = 0; k < REGION_COLUMNS; k++)
            if (call->region[k] >= 0) call->totals[i * call->K + call->region[k]] = NAN;
}

typedef struct {
    const Call *call;
    Kernel kernel;
    Tiling tiling;
    Piece *pieces;
} Run;

static void run_piece(void *given, int64_t i) {
    Run *run = given;
    run->kernel(run->call, run->tiling, run->pieces + i);
}

/* Few enough positions that the float32 sums of each lane remain accurate, for any vector width. */
static int64_t tile_of(const Call *call) {
    const int64_t width = 4 << level;
    int64_t most = 128 * width;
    if (call->link == SOFTMAX) {
        const int64_t enough = 63 * width / 16 * 16;
        most = TILE_BYTES / 4 / call->C / 16 * 16;
        most = most < 16 ? 16 : most > enough ? enough : most;
        if (most > 16 && most / 16 % 2 == 0) most -= 16; /* rows an even number of cache lines apart share cache sets */
    } else if (call->C > 1 && call->input.s != 1) {
        most = 65536 / call->C; /* adjacent classes: the tile stays in the cache while each class is read */
        most = most < 64 ? 64 : most > 128 * width ? 128 * width : most / 16 * 16;
    }
    return call->S < most ? call->S : most;
}

int64_t losskit_run_pieces(Call *call, Kernel kernel) {
    Tiling tiling = {.tile = tile_of(call)};
    tiling.per_sample = (call->S + tiling.tile - 1) / tiling.tile;
    int64_t samples = call->pooled ? 1 : call->N;         /* with separate totals */
    int64_t units = call->N * tiling.per_sample / samples; /* tiles per sample */
    int64_t fit = PIECES_BYTES / 8 / (call->C * call->K);
    int64_t most = fit > MOST_PIECES ? MOST_PIECES : fit < 32 ? 32 : fit;
    if (!call->pooled) most = 1 + most / call->N;
    int64_t least = LEAST_WORK / (tiling.tile * call->C) + 1;
    int64_t size = (units + most - 1) / most;
    if (size < least) size = least;
    int64_t each = (units + size - 1) / size, count = each * samples, columns = call->C * call->K;
    int64_t own = call->totals && each > 1; /* otherwise a piece writes to the final totals */
    int64_t sums_bytes = own ? count * columns * (int64_t)sizeof(double) : 0;
    Piece *pieces;
    double *sums;
    void *memory = ALLOCATE_ARRAYS({&pieces, count * (int64_t)sizeof *pieces}, {&sums, sums_bytes});
    if (!memory) return 1;
    memset(sums, 0, (size_t)sums_bytes);
    if (call->totals) memset(call->totals, 0, (size_t)(samples * columns) * sizeof(double));
    for (int64_t i = 0; i < count; i++) {
        int64_t sample = i / each, at = i % each * size, end = at + size < units ? at + size : units;
        pieces[i] = (Piece){.first = sample * units + at, .last = sample * units + end};
        if (call->totals) pieces[i].totals = own ? sums + i * columns : call->totals + sample * columns;
    }
    int64_t bytes = call->N * call->C * call->S * (call->input.type == FLOAT32 ? 4 : 2);
    int writes = call->coefficients || call->activations == SAVE_ACTIVATIONS;
    if (writes && bytes >= WORTH_LARGE_PAGES) losskit_prefer_large_pages(call->gradient.data, (size_t)bytes);
    call->stream = writes && bytes >= STREAM_BYTES;
    Run run = {call, kernel, tiling, pieces};
    int64_t threads = call->N * call->C * call->S < 2 * LEAST_WORK ? 1 : call->threads;
    losskit_parallel(count, threads, run_piece, &run);
    int64_t short_of_memory = 0, bad_weight = 0;
    call->problem = NO_PROBLEM, call->activations_not_saved = 0;
    for (int64_t i = 0; i < count; i++) {
        if (pieces[i].problem && !call->problem)
            call->problem = pieces[i].problem, call->bad_value = pieces[i].bad_value;
        call->activations_not_saved |= pieces[i].activations_not_saved, short_of_memory |= pieces[i].short_of_memory;
        bad_weight |= pieces[i].bad_weight;
        if (own)
            for (int64_t k = 0; k < columns; k++) call->totals[i / each * columns + k] += sums[i * columns + k];
    }
    if (bad_weight) invalidate_sizes(call, samples * call->C);
    free(memory);
    return short_of_memory;
}

/* Returns 1 if memory is short, else 0. */
int64_t losskit_run(Call *call) { return losskit_run_pieces(call, losskit_kernels()->totals[call->link]); }
