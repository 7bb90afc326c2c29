#include "memory.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define LARGE_PAGE ((size_t)1 << 21)
#define LINE ((size_t)64)

static atomic_llong until_failure = -1;

/* For tests: makes the n-th allocation from now fail once; -1: none. */
void losskit_fail_allocation(int64_t n) { atomic_store(&until_failure, n); }

static size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

void losskit_prefer_large_pages(void *memory, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    uintptr_t from = round_up((uintptr_t)memory, LARGE_PAGE);
    uintptr_t to = ((uintptr_t)memory + bytes) / LARGE_PAGE * LARGE_PAGE;
    if (to > from) madvise((void *)from, to - from, MADV_HUGEPAGE);
#else
    (void)memory, (void)bytes;
#endif
}

void *losskit_allocate(size_t bytes) {
    if (atomic_load_explicit(&until_failure, memory_order_relaxed) > 0 && atomic_fetch_sub(&until_failure, 1) == 1)
        return 0;
    if (bytes < LARGE_PAGE) return aligned_alloc(LINE, round_up(bytes + !bytes, LINE));
    bytes = round_up(bytes, LARGE_PAGE);
    void *memory = aligned_alloc(LARGE_PAGE, bytes);
    if (memory) losskit_prefer_large_pages(memory, bytes);
    return memory;
}

/* Unused cache lines after each array avoid 4K aliasing: a load waits for a store at the same offset modulo 4096. */
static size_t spaced(int64_t bytes) { return round_up((size_t)bytes, LINE) + 5 * LINE; }

void *losskit_allocate_arrays(const Array *arrays, size_t count) {
    size_t bytes = 0;
    for (size_t k = 0; k < count; k++) bytes += spaced(arrays[k].bytes);
    char *memory = losskit_allocate(bytes), *next = memory;
    for (size_t k = 0; memory && k < count; k++) {
        memcpy(arrays[k].address, &next, sizeof next);
        next += spaced(arrays[k].bytes);
    }
    return memory;
}
