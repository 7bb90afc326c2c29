/* Everything that is compiled once per instruction set. */
#pragma once
#include <stdlib.h>
#include "difference.h"
#include "sigmoid.h"
#include "softmax_kernel.h"
#include "ranks.h"

#define KERNELS                                                                                                        \
    {                                                                                                                  \
        .totals = {sigmoid_kernel, softmax_kernel, difference_kernel}, .errors = {sigmoid_errors, softmax_errors},     \
        .chain = {sigmoid_chain, softmax_chain}, .rank = rank_elements                                                 \
    }
