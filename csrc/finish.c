/* The mean of terms and the formulas of regions, from totals (rows, C, K); a row is a sample or the whole batch. */
#include "finish.h"
#include <math.h>

/* An element of a tensor (C,), an option that is read at each call. */
static double number_of(const View *v, int64_t c) {
    if (!v->data) return 1.0;
    int64_t at = c * v->c;
    if (v->type == FLOAT64) return ((const double *)v->data)[at];
    return (double)((const float *)v->data)[at];
}

static Finished divide(const Part *part, double numerator, double denominator) {
    if (denominator != 0) return (Finished){numerator / denominator, 1 / denominator, 0};
    return (Finished){part->empty == EMPTY_NAN ? NAN : numerator * 0.0, 0.0, 0};
}

static Finished reduced(const Part *part, double numerator, double denominator, double normalizer) {
    if (normalizer == normalizer) return divide(part, numerator, normalizer);
    return part->reduction == REDUCE_MEAN ? divide(part, numerator, denominator) : (Finished){numerator, 1.0, 0};
}

/* Mean of terms */

static double truth_weight_of(const Part *part, int64_t c, int side) {
    return part->truth_offset[side] + part->truth_slope[side] * number_of(&part->truth_weight, c);
}

static double sum_over_rows(const Loss *loss, const double *totals, int64_t rows, int64_t c, int64_t k) {
    const int64_t C = loss->call.C, K = loss->call.K;
    double sum = 0;
    for (int64_t n = 0; n < rows; n++) sum += totals[(n * C + c) * K + k];
    return sum;
}

static Finished finish_terms(const Loss *loss, const Part *part, const double *totals, int64_t rows, double normalizer) {
    const double smoothing = part->smoothing;
    double numerator = 0, denominator = 0;
    int no_size = 0;
    for (int64_t c = 0; c < loss->call.C; c++) {
        double value = 0, class_weight = number_of(&part->class_weight, c);
        for (int side = 0; side < 2 && part->truth[side] >= 0; side++) {
            double sum = sum_over_rows(loss, totals, rows, c, part->truth[side]);
            if (smoothing != 0)
                sum = (1 - smoothing) * sum +
                      smoothing / part->spread * sum_over_rows(loss, totals, rows, c, part->every[side]);
            value += sum * truth_weight_of(part, c, side);
        }
        numerator += value * class_weight;
        double size = sum_over_rows(loss, totals, rows, c, part->count);
        denominator += size * class_weight, no_size |= isnan(size);
    }
    Finished mean = reduced(part, numerator / part->divisor, denominator / part->divisor, normalizer);
    if (part->of_mean.count) {
        double registers[MOST_REGISTERS], slope = 0;
        registers[0] = mean.value;
        mean.value = losskit_tape_value(&part->of_mean, registers);
        losskit_tape_gradient(&part->of_mean, registers, 1.0, &slope);
        mean.slope *= slope;
    }
    mean.slope /= part->divisor;
    mean.no_size = no_size && part->reduction == REDUCE_MEAN && isnan(normalizer);
    return mean;
}

static void gradient_of_terms(const Loss *loss, const Part *part, int64_t rows, double slope, double *coefficients) {
    const int64_t C = loss->call.C, K = loss->call.K;
    for (int64_t c = 0; c < C; c++)
        for (int side = 0; side < 2 && part->truth[side] >= 0; side++) {
            double each = slope * number_of(&part->class_weight, c) * truth_weight_of(part, c, side);
            for (int64_t n = 0; n < rows; n++) {
                double *at = coefficients + (n * C + c) * K;
                at[part->truth[side]] += each * (1 - part->smoothing);
                if (part->smoothing != 0) at[part->every[side]] += each * part->smoothing / part->spread;
            }
        }
}

/* Formulas of regions */

enum { LEFT_OUT, BY_FORMULA, BY_PENALTY, WITHOUT_LOSS };

/* The rule for the loss of a region. */
static int rule_of(const Part *part, const double *columns, int64_t c) {
    if (columns[COUNT] == 0 || (part->scored && !part->scored[c])) return LEFT_OUT;
    if (columns[TARGET] != 0) return BY_FORMULA;
    if (part->absent == ABSENT_SKIP) return LEFT_OUT;
    if (part->absent == ABSENT_PENALIZE) return BY_PENALTY;
    return columns[PRED] == 0 ? WITHOUT_LOSS : BY_FORMULA;
}

/* The columns of a region as inputs of its formula, and its rule; a region of the whole batch spans all rows. */
static int read_region(const Loss *loss, const Part *part, const double *totals, int64_t rows, int64_t n, int64_t c,
                       double *columns) {
    const double *at = totals + (n * loss->call.C + c) * loss->call.K;
    for (int k = 0; k < REGION_COLUMNS; k++) {
        int64_t column = part->column[k];
        columns[k] = column < 0 ? 0 : part->over_batch ? sum_over_rows(loss, totals, rows, c, column) : at[column];
    }
    return rule_of(part, columns, c);
}

static Finished finish_regions(const Loss *loss, const Part *part, const double *totals, int64_t rows) {
    const int64_t regions = part->over_batch ? 1 : rows;
    double numerator = 0, denominator = 0, registers[MOST_REGISTERS];
    int no_size = 0;
    for (int64_t c = 0; c < loss->call.C; c++) {
        double sum = 0, count = 0;
        for (int64_t n = 0; n < regions; n++) {
            int rule = read_region(loss, part, totals, rows, n, c, registers);
            count += rule != LEFT_OUT, no_size |= isnan(registers[COUNT]);
            if (rule == BY_FORMULA) sum += losskit_tape_value(&part->formula, registers);
            if (rule == BY_PENALTY) sum += losskit_tape_value(&part->penalty, registers);
        }
        double class_weight = number_of(&part->class_weight, c);
        numerator += sum * class_weight, denominator += count * class_weight;
    }
    Finished mean = reduced(part, numerator, denominator, NAN);
    mean.no_size = no_size;
    return mean;
}

static void gradient_of_regions(const Loss *loss, const Part *part, const double *totals, int64_t rows, double slope,
                                double *coefficients) {
    const int64_t C = loss->call.C, K = loss->call.K, regions = part->over_batch ? 1 : rows;
    double registers[MOST_REGISTERS];
    for (int64_t c = 0; c < C; c++)
        for (int64_t n = 0; n < regions; n++) {
            int rule = read_region(loss, part, totals, rows, n, c, registers);
            if (rule != BY_FORMULA && rule != BY_PENALTY) continue;
            const Tape *tape = rule == BY_FORMULA ? &part->formula : &part->penalty;
            double gradient[REGION_COLUMNS] = {0};
            losskit_tape_value(tape, registers);
            losskit_tape_gradient(tape, registers, slope * number_of(&part->class_weight, c), gradient);
            for (int64_t row = n; row < (part->over_batch ? rows : n + 1); row++)
                for (int k = 0; k < REGION_COLUMNS; k++)
                    if (part->column[k] >= 0) coefficients[(row * C + c) * K + part->column[k]] += gradient[k];
        }
}

Finished losskit_finish(const Loss *loss, const Part *part, const double *totals, int64_t rows, double normalizer) {
    if (part->kind == REGION_FORMULA) return finish_regions(loss, part, totals, rows);
    return finish_terms(loss, part, totals, rows, normalizer);
}

void losskit_finish_gradient(const Loss *loss, const Part *part, const double *totals, int64_t rows, double slope,
                             double *coefficients) {
    if (part->kind == REGION_FORMULA)
        gradient_of_regions(loss, part, totals, rows, slope, coefficients);
    else
        gradient_of_terms(loss, part, rows, slope, coefficients);
}
