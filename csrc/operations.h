/* The operations of formulas, each for W floats and for one double. Conditions are 1 or 0. */
#pragma once

/* X(name, for floats, for doubles), with operands a, b and c */
#define EACH_OPERATION(X)                                                                                              \
    X(ADD, a + b, a + b)                                                                                               \
    X(SUBTRACT, a - b, a - b)                                                                                          \
    X(MULTIPLY, a * b, a * b)                                                                                          \
    X(MULTIPLY_ADD, fma_(a, b, c), a * b + c)                                                                          \
    X(DIVIDE, a / b, a / b)                                                                                            \
    X(NEGATE, negated(a), -a)                                                                                          \
    X(COPY, a, a)                                                                                                      \
    X(ABSOLUTE, absolute(a), fabs(a))                                                                                  \
    X(SIGN, sign_of(a), (double)(a > 0) - (double)(a < 0))                                                             \
    X(EXP, exp_(a), exp(a))                                                                                            \
    X(EXPM1, expm1_whole(a), expm1(a))                                                                                 \
    X(LOG, log_whole(a), log(a))                                                                                       \
    X(LOG1P, log1p_whole(a), log1p(a))                                                                                 \
    X(SQRT, square_root(a), sqrt(a))                                                                                   \
    X(POWER, power_whole(a, b), pow(a, b))                                                                             \
    X(MINIMUM, pick(eq(a, a), min_or_nan(a, b), a), a != a || a < b ? a : b)                                           \
    X(MAXIMUM, pick(eq(a, a), max_or_nan(a, b), a), a != a || a > b ? a : b)                                           \
    X(TANH, tanh_whole(a), tanh(a))                                                                                    \
    X(SIGMOID, sigmoid_whole(a), 1 / (1 + exp(-a)))                                                                    \
    X(COSH, cosh_whole(a), cosh(a))                                                                                    \
    X(SINH, sinh_whole(a), sinh(a))                                                                                    \
    X(FLOOR, floor_whole(a), floor(a))                                                                                 \
    X(ROUND, round_whole(a), nearbyint(a))                                                                             \
    X(LESS, keep(lt(a, b), one), a < b)                                                                                \
    X(LESS_EQUAL, keep(le(a, b), one), a <= b)                                                                         \
    X(EQUAL, keep(eq(a, b), one), a == b)                                                                              \
    X(NOT_EQUAL, keep(not(eq(a, b)), one), a != b)                                                                     \
    X(AND, keep(both(not(eq(a, zero)), not(eq(b, zero))), one), a != 0 && b != 0)                                      \
    X(OR, keep(not(both(eq(a, zero), eq(b, zero))), one), a != 0 || b != 0)                                            \
    X(NOT, keep(eq(a, zero), one), a == 0)                                                                             \
    X(WHERE, pick(eq(a, zero), c, b), a != 0 ? b : c)
