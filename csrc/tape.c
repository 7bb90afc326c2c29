/* Formulas of totals as lists of operations on registers. */
#include "finish.h"
#include "operations.h"
#include <math.h>

double losskit_tape_value(const Tape *tape, double *r) {
    double *out = r + tape->inputs;
    for (int64_t i = 0; i < tape->count; i++) {
        const Operation *o = tape->operation + i;
        const double a = r[o->a], b = r[o->b], c = r[o->c];
        switch (o->operation) {
#define CASE(NAME, VECTOR, SCALAR)                                                                                     \
    case OP_##NAME: out[i] = SCALAR; break;
            EACH_OPERATION(CASE)
#undef CASE
        default: out[i] = o->constant; break;
        }
    }
    return out[tape->count - 1];
}

void losskit_tape_gradient(const Tape *tape, const double *r, double upstream, double *gradient) {
    double d[MOST_REGISTERS] = {0};
    const double *out = r + tape->inputs;
    d[tape->inputs + tape->count - 1] = upstream;
    for (int64_t i = tape->count - 1; i >= 0; i--) {
        const Operation *o = tape->operation + i;
        double g = d[tape->inputs + i], a = r[o->a], b = r[o->b], y = out[i];
        if (g == 0) continue; /* even for an infinite slope: an operand that was not selected has no gradient */
        double *by_a = d + o->a, *by_b = d + o->b;
        switch (o->operation) {
        case OP_ADD: *by_a += g, *by_b += g; break;
        case OP_SUBTRACT: *by_a += g, *by_b -= g; break;
        case OP_MULTIPLY: *by_a += g * b, *by_b += g * a; break;
        case OP_MULTIPLY_ADD: *by_a += g * b, *by_b += g * a, d[o->c] += g; break;
        case OP_DIVIDE: *by_a += g / b, *by_b -= g * y / b; break;
        case OP_COPY: *by_a += g; break;
        case OP_NEGATE: *by_a -= g; break;
        case OP_ABSOLUTE: *by_a += a > 0 ? g : a < 0 ? -g : 0; break;
        case OP_EXP: *by_a += g * y; break;
        case OP_EXPM1: *by_a += g * (y + 1); break;
        case OP_LOG: *by_a += g / a; break;
        case OP_LOG1P: *by_a += g / (a + 1); break;
        case OP_SQRT: *by_a += g / (2 * y); break;
        case OP_POWER: /* the exponent is a constant */
            if (b != 0) *by_a += g * (b * pow(a, b - 1));
            break;
        case OP_MINIMUM:
            if (a == b)
                *by_a += g / 2, *by_b += g / 2;
            else
                *(a < b ? by_a : by_b) += g;
            break;
        case OP_MAXIMUM:
            if (a == b)
                *by_a += g / 2, *by_b += g / 2;
            else
                *(a > b ? by_a : by_b) += g;
            break;
        case OP_TANH: *by_a += g * (1 - y * y); break;
        case OP_SIGMOID: *by_a += g * y * (1 - y); break;
        case OP_COSH: *by_a += g * sinh(a); break;
        case OP_SINH: *by_a += g * cosh(a); break;
        case OP_WHERE: *(a != 0 ? by_b : d + o->c) += g; break;
        default: break; /* constants, comparisons and step functions */
        }
    }
    for (int64_t k = 0; k < tape->inputs; k++) gradient[k] += d[k];
}
