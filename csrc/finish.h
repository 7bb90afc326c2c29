/* From totals to the number of a loss, with its derivative: formulas on a few float64 numbers. */
#pragma once
#include "call.h"

/* A formula as a list of operations on registers: first the inputs, then one result each; the last is the value. */
enum {
    OP_CONSTANT, OP_ADD, OP_SUBTRACT, OP_MULTIPLY, OP_DIVIDE, OP_NEGATE, OP_ABSOLUTE, OP_EXP, OP_EXPM1, OP_LOG, OP_LOG1P,
    OP_SQRT, OP_POWER, OP_MINIMUM, OP_MAXIMUM, OP_TANH, OP_COSH, OP_LESS, OP_LESS_EQUAL, OP_EQUAL, OP_NOT_EQUAL, OP_AND,
    OP_OR, OP_NOT, OP_WHERE, OPERATIONS
};
#define MOST_REGISTERS 96

typedef struct {
    int64_t operation, a, b, c; /* registers of its operands */
    double constant;
} Operation;

typedef struct {
    int64_t inputs, count;
    const Operation *operation;
} Tape;

double losskit_tape_value(const Tape *, double *registers);

/* Adds `upstream` times the derivative by each input to `gradient`, given the registers of the value. */
void losskit_tape_gradient(const Tape *, const double *registers, double upstream, double *gradient);

enum { MEAN_OF_TERMS, REGION_FORMULA };
enum { REDUCE_MEAN, REDUCE_SUM };
enum { EMPTY_ZERO, EMPTY_NAN };
enum { ABSENT_FORMULA, ABSENT_SKIP, ABSENT_PENALIZE };
#define MOST_PARTS 8

/* One number of a loss: how its totals become a numerator and a denominator. */
typedef struct {
    int64_t kind, reduction, empty;
    double weight;          /* of this part in the sum */
    View class_weight;      /* (C,); no data: every class weighs 1 */
    /* MEAN_OF_TERMS: columns of the terms of yes and no (softmax: yes alone), or -1 */
    int64_t truth[2], every[2], count;
    double smoothing;       /* label smoothing, of which each of `spread` classes has its share */
    double spread;
    View truth_weight;      /* pos_weight or alpha, (C,) or one number with stride 0 */
    double truth_offset[2], truth_slope[2]; /* yes and no weigh offset + slope * truth_weight */
    double divisor;         /* of numerator and denominator */
    Tape of_mean;           /* applied to the mean; count 0: none */
    /* REGION_FORMULA: columns, or -1 */
    int64_t column[REGION_COLUMNS];
    int64_t absent, over_batch; /* whether a region is the whole batch's */
    const uint8_t *scored;  /* (C,), null: every class */
    Tape formula, penalty;  /* of a region, and of one whose class is absent */
} Part;

typedef struct {
    Call call;
    int64_t parts, is_sum;  /* a loss that is no sum has one part, of weight 1 */
    double offset;          /* added to the sum */
    double size;            /* what a mean divides by where every element counts and weighs 1 */
    Part part[MOST_PARTS];
} Loss;

enum { VALUE_ONLY, GRADIENT_WITH_TOTALS, GRADIENT_AFTER_TOTALS, GRADIENT_LATER };

/* The value of a part, and its derivative by the numerator of its mean. */
typedef struct {
    double value, slope;
} Finished;

/* From totals (rows, C, K). A normalizer that is not NaN replaces the denominator of a mean. */
Finished losskit_finish(const Loss *, const Part *, const double *totals, int64_t rows, double normalizer);

/* Adds `slope`, the derivative of the loss by the numerator, times the numerator's derivative by each total. */
void losskit_finish_gradient(const Loss *, const Part *, const double *totals, int64_t rows, double slope,
                             double *coefficients);
