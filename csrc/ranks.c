/* Rank losses: errors, a sort for each sample and class, and the gradient. */
#include "call.h"
#include "memory.h"
#include "parallel.h"
#include <stdatomic.h>
#include <stdlib.h>
#define LEAST_SORT 8192 /* elements per thread, at least */

const Kernels *losskit_kernels(void);
int64_t losskit_run_pieces(Call *call, Kernel kernel);

typedef struct {
    const Call *call;
    Rank rank;
    int64_t count;
    atomic_llong next, short_of_memory;
} Sorts;

uint64_t *losskit_sort_buffer(SortBuffers *buffers, int which, size_t count) {
    if (buffers->elements[which] && buffers->size[which] >= count) return buffers->elements[which];
    free(buffers->elements[which]);
    /* one more, since a candidate is written before it is tested */
    buffers->elements[which] = losskit_allocate((count + 1) * sizeof(uint64_t));
    buffers->size[which] = count;
    buffers->short_of_memory |= !buffers->elements[which];
    return buffers->elements[which];
}

/* A thread runs one sort after another. */
static void sort_some(void *given, int64_t worker) {
    (void)worker;
    Sorts *sorts = given;
    SortBuffers *buffers = losskit_allocate(sizeof *buffers);
    if (!buffers) {
        atomic_store(&sorts->short_of_memory, 1);
        return;
    }
    buffers->elements[0] = buffers->elements[1] = 0;
    buffers->short_of_memory = 0;
    while (!buffers->short_of_memory) {
        int64_t which = atomic_fetch_add(&sorts->next, 1);
        if (which >= sorts->count) break;
        sorts->rank(sorts->call, which, buffers);
    }
    if (buffers->short_of_memory) atomic_store(&sorts->short_of_memory, 1);
    free(buffers->elements[0]), free(buffers->elements[1]), free(buffers);
}

/* Totals (N or 1, C, 3): the sum of errors times increments, and counts of positives and elements. Replaces keys by
 * increments. Returns 1 if memory is short, else 0. */
int64_t losskit_rank(Call *call) {
    const Kernels *kernels = losskit_kernels();
    Call errors = *call;
    errors.totals = 0, errors.coefficients = 0;
    if (losskit_run_pieces(&errors, kernels->rank_errors[call->link])) return 1;
    call->problem = errors.problem, call->bad_value = errors.bad_value;
    Sorts sorts = {.call = call, .rank = kernels->rank, .count = (call->pooled ? 1 : call->N) * call->C};
    int64_t threads = call->threads < sorts.count ? call->threads : sorts.count;
    if (call->N * call->C * call->S < 2 * LEAST_SORT) threads = 1;
    losskit_parallel(threads, threads, sort_some, &sorts);
    return atomic_load(&sorts.short_of_memory);
}

/* Replaces increments by the gradient by the input, given that of each total. Returns 1 if memory is short, else 0. */
int64_t losskit_rank_gradient(Call *call) {
    return losskit_run_pieces(call, losskit_kernels()->rank_gradient[call->link]);
}
