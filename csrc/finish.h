/* Computes the value of a loss and its derivative from totals: formulas of a few float64 numbers. */
#pragma once
#include "call.h"

/* A formula is a list of operations on registers: first the inputs, then one result per operation, the last being
 * the value. */
typedef struct {
    int64_t operation, a, b, c; /* registers of the operands */
    double constant;
} Operation;

typedef struct {
    int64_t inputs, count;
    const Operation *operation;
} Tape;

double losskit_tape_value(const Tape *, double *registers);

/* Adds `upstream` times the derivative by each input to `gradient`, given the registers of the value. */
void losskit_tape_gradient(const Tape *, const double *registers, double upstream, double *gradient);

/* One part of a loss: how its numerator and denominator follow from totals. */
typedef struct {
    int64_t kind, reduction, empty;
    double weight;          /* of this part in the sum */
    View class_weight;      /* (C,); no data: every class has weight 1 */
    /* MEAN_OF_TERMS: columns of the positive and negative terms (softmax: positive only), or -1 */
    int64_t truth[2], every[2], count;
    double smoothing;       /* label smoothing, divided among `spread` classes */
    double spread;
    View truth_weight;      /* pos_weight or alpha, (C,) or one number with stride 0 */
    double truth_offset[2], truth_slope[2]; /* weight of a side: offset + slope * truth_weight */
    double divisor;         /* of numerator and denominator */
    Tape of_mean;           /* applied to the mean; count 0: none */
    /* REGION_FORMULA: columns, or -1 */
    int64_t column[REGION_COLUMNS];
    int64_t absent, over_batch; /* over_batch: whether a region is the whole batch */
    const uint8_t *scored;  /* (C,); null: every class */
    Tape formula, penalty;  /* of a region; of a region whose class is absent */
} Part;

typedef struct {
    Call call;
    int64_t parts, is_sum;  /* a loss that is not a sum has one part of weight 1 */
    int64_t more_parts;     /* after those: only their values are written, they are not added */
    double offset;          /* added to the sum */
    double size;            /* denominator of a mean if every element counts with weight 1 */
    Part part[MOST_PARTS];
} Loss;

/* The value of a part, and its derivative by the numerator of its mean. */
typedef struct {
    double value, slope;
    int no_size; /* whether weights are invalid for a mean or a region */
} Finished;

/* From totals (rows, C, K). A normalizer that is not NaN replaces the denominator of a mean. */
Finished losskit_finish(const Loss *, const Part *, const double *totals, int64_t rows, double normalizer);

/* Adds `slope`, the derivative of the loss by the numerator, times the derivative of the numerator by each total. */
void losskit_finish_gradient(const Loss *, const Part *, const double *totals, int64_t rows, double slope,
                             double *coefficients);
