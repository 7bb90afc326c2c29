/* Formulas of totals as lists of operations on registers. */
#include "finish.h"
#include <math.h>

double losskit_tape_value(const Tape *tape, double *r) {
    double *out = r + tape->inputs;
    for (int64_t i = 0; i < tape->count; i++) {
        const Operation *o = tape->operation + i;
        double a = r[o->a], b = r[o->b];
        switch (o->operation) {
        case OP_CONSTANT: out[i] = o->constant; break;
        case OP_ADD: out[i] = a + b; break;
        case OP_SUBTRACT: out[i] = a - b; break;
        case OP_MULTIPLY: out[i] = a * b; break;
        case OP_DIVIDE: out[i] = a / b; break;
        case OP_NEGATE: out[i] = -a; break;
        case OP_ABSOLUTE: out[i] = fabs(a); break;
        case OP_EXP: out[i] = exp(a); break;
        case OP_EXPM1: out[i] = expm1(a); break;
        case OP_LOG: out[i] = log(a); break;
        case OP_LOG1P: out[i] = log1p(a); break;
        case OP_SQRT: out[i] = sqrt(a); break;
        case OP_POWER: out[i] = pow(a, b); break;
        case OP_MINIMUM: out[i] = a != a || a < b ? a : b; break;
        case OP_MAXIMUM: out[i] = a != a || a > b ? a : b; break;
        case OP_TANH: out[i] = tanh(a); break;
        case OP_COSH: out[i] = cosh(a); break;
        case OP_LESS: out[i] = a < b; break;
        case OP_LESS_EQUAL: out[i] = a <= b; break;
        case OP_EQUAL: out[i] = a == b; break;
        case OP_NOT_EQUAL: out[i] = a != b; break;
        case OP_AND: out[i] = a != 0 && b != 0; break;
        case OP_OR: out[i] = a != 0 || b != 0; break;
        case OP_NOT: out[i] = a == 0; break;
        default: out[i] = r[o->a] != 0 ? b : r[o->c]; break;
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
        if (g == 0) continue; /* also beside an infinite slope: an operand that was not selected has no gradient */
        double *by_a = d + o->a, *by_b = d + o->b;
        switch (o->operation) {
        case OP_ADD: *by_a += g, *by_b += g; break;
        case OP_SUBTRACT: *by_a += g, *by_b -= g; break;
        case OP_MULTIPLY: *by_a += g * b, *by_b += g * a; break;
        case OP_DIVIDE: *by_a += g / b, *by_b -= g * y / b; break;
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
        case OP_COSH: *by_a += g * sinh(a); break;
        case OP_WHERE: *(a != 0 ? by_b : d + o->c) += g; break;
        default: break; /* constants and comparisons */
        }
    }
    for (int64_t k = 0; k < tape->inputs; k++) gradient[k] += d[k];
}
