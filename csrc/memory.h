/* The only place that memory comes from: each kernel reports failure through Piece.short_of_memory. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Memory at a multiple of 64 bytes, to be given to free(); null where there is none. */
void *losskit_allocate(size_t bytes);

typedef struct {
    void *address; /* the pointer to be set */
    int64_t bytes;
} Array;

/* One allocation for several arrays, each at a multiple of 64 bytes, and their pointers set. What it returns is to be
 * given to free(); it is null, and no pointer is set, where memory is short. */
void *losskit_allocate_arrays(const Array *arrays, size_t count);

#define ALLOCATE_ARRAYS(...)                                                                                           \
    losskit_allocate_arrays((const Array[]){__VA_ARGS__}, sizeof((const Array[]){__VA_ARGS__}) / sizeof(Array))

/* Pages of 2 MB for what lies between, where whole ones do: fresh memory comes ten times as fast. */
void losskit_prefer_large_pages(void *memory, size_t bytes);
