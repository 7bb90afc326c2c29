/* Sums of generalized Wasserstein Dice: pieces of fixed size, in a fixed order on any number of threads. */
#include "call.h"
#include "memory.h"
#include "parallel.h"
#include <stdlib.h>

#define POSITIONS 4096 /* per piece */
#define SUMS 3

const Kernels *losskit_kernels(void);

typedef struct {
    double sums[SUMS];
    int64_t bad_label, short_of_memory;
} Part;

typedef struct {
    const Wasserstein *call;
    int64_t per_sample;
    Part *parts;
} Run;

static void run_part(void *given, int64_t i) {
    Run *run = given;
    const Wasserstein *call = run->call;
    Part *part = run->parts + i;
    const int64_t first = i % run->per_sample * POSITIONS;
    const int64_t last = first + POSITIONS < call->S ? first + POSITIONS : call->S;
    float *memory = losskit_allocate((size_t)(4 * call->C * MOST_WIDTH) * sizeof(float));
    if (!memory) {
        part->short_of_memory = 1;
        return;
    }
    part->bad_label = losskit_kernels()->wasserstein(call, i / run->per_sample, first, last, memory, part->sums);
    free(memory);
}

/* Returns 0, 1 if memory is short, or 2 if a label is not a class index. */
int64_t losskit_wasserstein(const Wasserstein *call) {
    Run run = {.call = call, .per_sample = (call->S + POSITIONS - 1) / POSITIONS};
    const int64_t count = call->N * run.per_sample;
    void *memory = ALLOCATE_ARRAYS({&run.parts, count * (int64_t)sizeof(Part)});
    if (!memory) return 1;
    for (int64_t i = 0; i < count; i++) run.parts[i] = (Part){0};
    losskit_parallel(count, call->threads, run_part, &run);
    int64_t result = 0;
    for (int64_t i = 0; i < call->N * SUMS; i++) call->sums[i] = 0;
    for (int64_t i = 0; i < count; i++) {
        if (run.parts[i].short_of_memory && !result) result = 1;
        if (run.parts[i].bad_label && !result) result = 2;
        for (int k = 0; k < SUMS; k++) call->sums[i / run.per_sample * SUMS + k] += run.parts[i].sums[k];
    }
    free(memory);
    return result;
}
