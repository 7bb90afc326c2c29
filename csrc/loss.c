/* A whole loss in one call: totals, the value computed from them, and the gradient by the input if requested. */
#include "finish.h"
#include "memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t losskit_run(Call *call);

/* Details of the last call of this thread, besides the returned flags. */
static _Thread_local struct {
    double problem, bad_value, scale;
} details;

int64_t losskit_size_of_loss(void) { return (int64_t)sizeof(Loss); }

void losskit_details(double *out) { out[0] = details.problem, out[1] = details.bad_value, out[2] = details.scale; }

/* The addresses of one call; null for absent tensors. */
static void set_addresses(Call *call, void *input, void *target, void *weight, void *mask, const float *logit_bias,
                          void *gradient, int64_t threads) {
    call->input.data = input, call->target.data = target, call->weight.data = weight, call->mask.data = mask;
    call->logit_bias = logit_bias, call->gradient.data = gradient, call->threads = threads;
}

/* A value of the loss, rounded to the returned dtype. */
static double rounded(const Loss *loss, double value) {
    return loss->call.input.type == FLOAT64 ? value : (double)(float)value;
}

static void write_number(const Loss *loss, void *to, int64_t at, double value) {
    if (loss->call.input.type == FLOAT64)
        ((double *)to)[at] = value;
    else
        ((float *)to)[at] = (float)value;
}

/* The derivative of the loss by a part. */
static double upstream_of(const Loss *loss, const Part *part) { return loss->is_sum ? rounded(loss, part->weight) : 1.0; }

/* The derivative by the numerator of a part if every element counts with weight 1. */
static double assumed_slope(const Loss *loss, const Part *part, double normalizer) {
    double upstream = upstream_of(loss, part);
    if (normalizer == normalizer) return normalizer != 0 ? upstream / normalizer / part->divisor : 0;
    return part->reduction == REDUCE_MEAN ? upstream / loss->size : upstream / part->divisor;
}

static int64_t run_loss(Loss *loss, double *totals, double *coefficients, int64_t rows, double normalizer, void *value,
                        void *part_values, int64_t mode) {
    Call *call = &loss->call;
    const int64_t room = rows * call->C * call->K;
    if (mode == GRADIENT_WITH_TOTALS) {
        memset(coefficients, 0, (size_t)room * sizeof *coefficients);
        for (int64_t p = 0; p < loss->parts; p++)
            losskit_finish_gradient(loss, loss->part + p, totals, rows, assumed_slope(loss, loss->part + p, normalizer),
                                    coefficients);
        call->coefficients = coefficients;
    }
    call->totals = totals;
    call->activations = mode == GRADIENT_LATER && call->gradient.data ? SAVE_ACTIVATIONS : NO_ACTIVATIONS;
    if (losskit_run(call)) return OUT_OF_MEMORY;
    if (call->problem) {
        details.problem = (double)call->problem, details.bad_value = call->bad_value;
        return BAD_VALUE;
    }
    Finished finished[MOST_PARTS];
    double sum = 0;
    for (int64_t p = 0; p < loss->parts; p++) {
        const Part *part = loss->part + p;
        finished[p] = losskit_finish(loss, part, totals, rows, normalizer);
        if (finished[p].no_size) {
            details.problem = BAD_WEIGHT;
            return BAD_VALUE;
        }
        double own = rounded(loss, finished[p].value), term = rounded(loss, own * upstream_of(loss, part));
        if (part_values) write_number(loss, part_values, p, own);
        sum = p ? rounded(loss, sum + term) : term;
    }
    for (int64_t p = loss->parts; part_values && p < loss->parts + loss->more_parts; p++)
        write_number(loss, part_values, p, losskit_finish(loss, loss->part + p, totals, rows, normalizer).value);
    if (loss->offset != 0) sum = rounded(loss, sum + rounded(loss, loss->offset));
    write_number(loss, value, 0, sum);
    if (mode == VALUE_ONLY) return DONE;
    if (mode == GRADIENT_WITH_TOTALS) {
        int alike = 1;
        double scale = 1;
        for (int64_t p = 0; p < loss->parts; p++) {
            double slope = finished[p].slope * upstream_of(loss, loss->part + p);
            double assumed = assumed_slope(loss, loss->part + p, normalizer), ratio = slope == assumed ? 1 : slope / assumed;
            alike &= p == 0 || ratio == scale;
            scale = ratio;
        }
        if (alike && fabs(scale - 1) < 1e-12) return DONE;
        details.scale = scale;
        if (alike) return TO_BE_SCALED;
    }
    memset(coefficients, 0, (size_t)room * sizeof *coefficients);
    for (int64_t p = 0; p < loss->parts; p++)
        losskit_finish_gradient(loss, loss->part + p, totals, rows, finished[p].slope * upstream_of(loss, loss->part + p),
                                coefficients);
    if (mode == GRADIENT_LATER)
        return call->activations == SAVE_ACTIVATIONS && !call->activations_not_saved ? SAVED : DONE;
    call->coefficients = coefficients, call->totals = 0;
    return losskit_run(call) ? OUT_OF_MEMORY : DONE;
}

/* Writes the value of the loss, those of its parts unless part_values is null, and the gradient by the input to
 * `gradient`. In GRADIENT_LATER it writes the derivative by each total to `coefficients` (rows, C, K) instead, and saved
 * activations to `gradient`, unless null. `options`: addresses of class_weight and truth_weight of each part. */
int64_t losskit_loss(const Loss *given, void *input, void *target, void *weight, void *mask, const float *logit_bias,
                     void *gradient, double *coefficients, void *const *options, const double *part_weights,
                     double normalizer, void *value, void *part_values, int64_t mode, int64_t threads) {
    Loss loss;
    memcpy(&loss, given, offsetof(Loss, part) + (size_t)(given->parts + given->more_parts) * sizeof(Part));
    set_addresses(&loss.call, input, target, weight, mask, logit_bias, gradient, threads);
    for (int64_t p = 0; p < loss.parts; p++) {
        if (options) loss.part[p].class_weight.data = options[2 * p], loss.part[p].truth_weight.data = options[2 * p + 1];
        if (part_weights) loss.part[p].weight = part_weights[p];
    }
    const int64_t rows = loss.call.pooled ? 1 : loss.call.N, room = rows * loss.call.C * loss.call.K;
    loss.call.coefficients_n = loss.call.pooled ? 0 : loss.call.C * loss.call.K;
    double few[128], *totals = room <= 64 ? few : losskit_allocate((size_t)(2 * room) * sizeof *totals);
    if (!totals) return OUT_OF_MEMORY;
    int64_t flags = run_loss(&loss, totals, coefficients ? coefficients : totals + room, rows, normalizer, value,
                             part_values, mode);
    if (totals != few) free(totals);
    return flags;
}

/* `upstream` times the gradient by the input, from the coefficients and activations that losskit_loss stored. */
int64_t losskit_loss_gradient(const Loss *given, void *input, void *target, void *weight, void *mask,
                              const float *logit_bias, void *gradient, const double *coefficients, double upstream,
                              int64_t saved, int64_t threads) {
    Call call = given->call;
    set_addresses(&call, input, target, weight, mask, logit_bias, gradient, threads);
    const int64_t room = (call.pooled ? 1 : call.N) * call.C * call.K;
    call.coefficients_n = call.pooled ? 0 : call.C * call.K;
    double *scaled = losskit_allocate((size_t)room * sizeof *scaled);
    if (!scaled) return OUT_OF_MEMORY;
    for (int64_t i = 0; i < room; i++) scaled[i] = coefficients[i] * upstream;
    call.coefficients = scaled, call.totals = 0;
    call.activations = saved ? USE_ACTIVATIONS : NO_ACTIVATIONS;
    int64_t failed = losskit_run(&call);
    free(scaled);
    return failed ? OUT_OF_MEMORY : DONE;
}
