/* All allocations of the kernels, which report failure through Piece.short_of_memory. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Memory aligned to 64 bytes, to be freed with free(); null on failure. */
void *losskit_allocate(size_t bytes);

typedef struct {
    void *address; /* of the pointer to set */
    int64_t bytes;
} Array;

/* One allocation for several arrays, each aligned to 64 bytes. Sets their pointers and returns memory to be freed with
 * free(); on failure returns null and sets no pointer. */
void *losskit_allocate_arrays(const Array *arrays, size_t count);

#define ALLOCATE_ARRAYS(...)                                                                                           \
    losskit_allocate_arrays((const Array[]){__VA_ARGS__}, sizeof((const Array[]){__VA_ARGS__}) / sizeof(Array))

/* Requests 2 MB pages for the whole pages in the range, which makes fresh memory ten times as fast. */
void losskit_prefer_large_pages(void *memory, size_t bytes);
