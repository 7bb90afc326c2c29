/* From totals to the number of a loss, with its derivative: formulas on a few float64 numbers. */
#pragma once
#include "call.h"

/* A formula is a list of operations on registers: first the inputs, then one result each; the last is the value. */
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
    int64_t more_parts;     /* after those: finished for their own values, and not added */
    double offset;          /* added to the sum */
    double size;            /* what a mean divides by where every element counts and weighs 1 */
    Part part[MOST_PARTS];
} Loss;

/* The value of a part, and its derivative by the numerator of its mean. */
typedef struct {
    double value, slope;
    int no_size; /* of a mean, or of a region: its weights are not those of a mean */
} Finished;

/* From totals (rows, C, K). A normalizer that is not NaN replaces the denominator of a mean. */
Finished losskit_finish(const Loss *, const Part *, const double *totals, int64_t rows, double normalizer);

/* Adds `slope`, the derivative of the loss by the numerator, times the numerator's derivative by each total. */
void losskit_finish_gradient(const Loss *, const Part *, const double *totals, int64_t rows, double slope,
                             double *coefficients);
