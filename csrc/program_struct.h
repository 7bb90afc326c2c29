/* Mirrored by the ctypes structures of losskit/ops/programs.py. */
#pragma once
#include "constants.h"
#include <stdint.h>

/* Rows: the inputs, the value, the slope, then those between; ~k is constant k. */
typedef struct {
    int64_t operation, out, a, b, c;
} Step;

typedef struct Program {
    int64_t inputs, rows, constants; /* rows: of those between */
    int64_t value_steps, steps;      /* the value needs the first ones alone */
    const Step *step;
    const float *constant; /* (constants, 16): each repeated */
    const double *exact;   /* (constants,) */
} Program;
