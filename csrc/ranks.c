/* Losses of ranks: errors, a sort for each sample and class, and the gradient. */
#include "call.h"
#include "parallel.h"
#include <stdatomic.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#define LARGE_PAGE ((size_t)1 << 21)
#define LEAST_SORT 8192 /* elements worth a thread */

const Kernels *losskit_kernels(void);
int64_t losskit_run_pieces(Call *call, Kernel kernel);

typedef struct {
    const Call *call;
    Rank rank;
    int64_t count;
    atomic_llong next, short_of_memory;
} Sorts;

uint64_t *losskit_room(Bench *bench, int which, size_t count) {
    if (bench->memory[which] && bench->room[which] >= count) return bench->memory[which];
    free(bench->memory[which]);
    size_t bytes = (count + 1) * sizeof(uint64_t), page = bytes < LARGE_PAGE ? 64 : LARGE_PAGE;
    bytes = (bytes + page - 1) / page * page;
    bench->memory[which] = aligned_alloc(page, bytes);
    bench->room[which] = count;
    if (!bench->memory[which]) bench->short_of_memory = 1;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    else if (page == LARGE_PAGE)
        madvise(bench->memory[which], bytes, MADV_HUGEPAGE); /* fresh memory comes ten times as fast */
#endif
    return bench->memory[which];
}

/* A thread takes one sort after the other. */
static void sort_some(void *given, int64_t worker) {
    (void)worker;
    Sorts *sorts = given;
    Bench *bench = calloc(1, sizeof *bench);
    for (;;) {
        int64_t which = atomic_fetch_add(&sorts->next, 1);
        if (which >= sorts->count) break;
        if (bench) sorts->rank(sorts->call, which, bench);
        if (!bench || bench->short_of_memory) atomic_store(&sorts->short_of_memory, 1);
    }
    if (bench) free(bench->memory[0]), free(bench->memory[1]);
    free(bench);
}

/* Totals (N or 1, C, 3): the sum of errors times their prices, positives, and what counts; words become prices.
 * 0, or 1 where memory is short. */
int64_t losskit_rank(Call *call) {
    const Kernels *kernels = losskit_kernels();
    Call errors = *call;
    errors.totals = 0, errors.coefficients = 0;
    if (losskit_run_pieces(&errors, kernels->errors[call->link])) return 1;
    call->problem = errors.problem, call->bad_value = errors.bad_value;
    Sorts sorts = {.call = call, .rank = kernels->rank, .count = (call->pooled ? 1 : call->N) * call->C};
    int64_t threads = call->threads < sorts.count ? call->threads : sorts.count;
    if (call->N * call->C * call->S < 2 * LEAST_SORT) threads = 1;
    losskit_parallel(threads, threads, sort_some, &sorts);
    return atomic_load(&sorts.short_of_memory);
}

/* Prices become the gradient by the input: of each total, its coefficient. */
int64_t losskit_rank_gradient(Call *call) {
    return losskit_run_pieces(call, losskit_kernels()->chain[call->link]);
}
