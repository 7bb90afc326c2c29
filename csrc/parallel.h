#pragma once
#include <stdint.h>

/* Runs work(context, i) for every i < count, on at most `threads` threads of the pool of PyTorch. */
void losskit_parallel(int64_t count, int64_t threads, void (*work)(void *, int64_t), void *context);
