/* Element-wise formulas with derivatives, as steps on rows, evaluated block by block in the L1 cache. */
#pragma once
#include "functions.h"
#include "operations.h"
#include "program_struct.h"

#define FLOATS_OF_BLOCK 256
#define DOUBLES_OF_BLOCK 128
#define APART 16 /* padding between rows, so that they do not share cache sets */

INLINE vf negated(vf a) { return (vf)((vi)a ^ (int32_t)0x80000000); }

/* Memory for the intermediate rows, and for the constants of doubles. */
INLINE int64_t scratch_of(const Program *program) {
    if (!program) return 0;
    int64_t floats = program->rows * (FLOATS_OF_BLOCK + APART) * 4;
    int64_t doubles = (program->rows + program->constants) * (DOUBLES_OF_BLOCK + APART) * 8;
    return floats > doubles ? floats : doubles;
}

/* Whether a program has a slope, rather than a value alone. */
INLINE int has_slope(const Program *program) { return program->steps > program->value_steps; }

/* Values and slopes of len elements, len a multiple of W; slopes are skipped if null. */
static void evaluate_program(const Program *program, const float *const *inputs, int64_t len, float *value, float *slope,
                             float *scratch) {
    const vf zero = {0}, one = all(1.0f);
    const int64_t given = program->inputs, steps = slope ? program->steps : program->value_steps;
    float *rows[MOST_ROWS + MOST_NUMBERS + 4];
    for (int64_t k = 0; k < program->rows; k++) rows[given + 2 + k] = scratch + k * (FLOATS_OF_BLOCK + APART);
    for (int64_t at = 0; at < len; at += FLOATS_OF_BLOCK) {
        const int64_t count = len - at < FLOATS_OF_BLOCK ? len - at : FLOATS_OF_BLOCK;
        for (int64_t k = 0; k < given; k++) rows[k] = (float *)inputs[k] + at;
        rows[given] = value + at, rows[given + 1] = slope ? slope + at : 0;
        for (const Step *step = program->step; step < program->step + steps; step++) {
            float *out = rows[step->out];
#define OPERAND(x) const float *p##x = step->x < 0 ? program->constant + ~step->x * 16 : rows[step->x];                \
    const int64_t s##x = step->x < 0 ? 0 : W;
            OPERAND(a) OPERAND(b) OPERAND(c)
#undef OPERAND
#define CASE(NAME, VECTOR, SCALAR)                                                                                     \
    case OP_##NAME:                                                                                                    \
        for (int64_t i = 0; i < count; i += W, pa += sa, pb += sb, pc += sc) {                                         \
            const vf a = load(pa), b = load(pb), c = load(pc);                                                         \
            (void)a, (void)b, (void)c;                                                                                 \
            store(out + i, VECTOR);                                                                                    \
        }                                                                                                              \
        break;
            switch (step->operation) { EACH_OPERATION(CASE) }
#undef CASE
        }
    }
    (void)zero, (void)one;
}

/* The same for doubles, where constants are rows too. */
static void evaluate_program_double(const Program *program, const double *const *inputs, int64_t len, double *value,
                                    double *slope, double *scratch) {
    const int64_t given = program->inputs, steps = slope ? program->steps : program->value_steps;
    const int64_t apart = DOUBLES_OF_BLOCK + APART;
    double *rows[MOST_ROWS + MOST_NUMBERS + 4], *constants = scratch + program->rows * apart;
    for (int64_t k = 0; k < program->rows; k++) rows[given + 2 + k] = scratch + k * apart;
    for (int64_t k = 0; k < program->constants; k++)
        for (int64_t i = 0; i < DOUBLES_OF_BLOCK; i++) constants[k * apart + i] = program->exact[k];
    for (int64_t at = 0; at < len; at += DOUBLES_OF_BLOCK) {
        const int64_t count = len - at < DOUBLES_OF_BLOCK ? len - at : DOUBLES_OF_BLOCK;
        for (int64_t k = 0; k < given; k++) rows[k] = (double *)inputs[k] + at;
        rows[given] = value + at, rows[given + 1] = slope ? slope + at : 0;
        for (const Step *step = program->step; step < program->step + steps; step++) {
            double *out = rows[step->out];
#define OPERAND(x) const double *p##x = step->x < 0 ? constants + ~step->x * apart : rows[step->x];
            OPERAND(a) OPERAND(b) OPERAND(c)
#undef OPERAND
#define CASE(NAME, VECTOR, SCALAR)                                                                                     \
    case OP_##NAME:                                                                                                    \
        for (int64_t i = 0; i < count; i++) {                                                                          \
            const double a = pa[i], b = pb[i], c = pc[i];                                                              \
            (void)a, (void)b, (void)c;                                                                                 \
            out[i] = SCALAR;                                                                                           \
        }                                                                                                              \
        break;
            switch (step->operation) { EACH_OPERATION(CASE) }
#undef CASE
        }
    }
}
