/* Mirrored by the ctypes structures of losskit/ops/programs.py. */
#pragma once
#include "constants.h"
#include <stdint.h>

/* Rows: the inputs, the value, the slope, then intermediate rows; ~k is constant k. */
typedef struct {
    int64_t operation, out, a, b, c;
} Step;

typedef struct Program {
    int64_t inputs, rows, constants; /* rows: number of intermediate rows */
    int64_t value_steps, steps;      /* the value needs only the first value_steps */
    const Step *step;
    const float *constant; /* (constants, 16), each repeated 16 times */
    const double *exact;   /* (constants,) */
} Program;
