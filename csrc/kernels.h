/* Everything that is compiled once per instruction set: its definitions must be static. */
#pragma once
#include "difference.h"
#include "sigmoid.h"
#include "softmax_kernel.h"
#include "rank_sort.h"
#include "wasserstein.h"

#define KERNELS                                                                                                        \
    {                                                                                                                  \
        .totals = {sigmoid_kernel, softmax_kernel, difference_kernel},                                                 \
        .rank_errors = {sigmoid_rank_errors, softmax_rank_errors},                                                     \
        .rank_gradient = {sigmoid_rank_gradient, softmax_rank_gradient}, .rank = rank_elements,                        \
        .wasserstein = wasserstein_kernel                                                                              \
    }
