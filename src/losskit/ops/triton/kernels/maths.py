"""Elementary functions on tiles, as in `csrc/maths.h`, and the terms of losses."""

import triton
import triton.language as tl

from losskit.ops import constants

EXP_TAIL: tl.constexpr = tl.constexpr(constants.EXP_TAIL)
EXP_TAIL_SIZE: tl.constexpr = tl.constexpr(len(constants.EXP_TAIL))
LOG1P_OVER_Z: tl.constexpr = tl.constexpr(constants.LOG1P_OVER_Z)
LOG1P_OVER_Z_SIZE: tl.constexpr = tl.constexpr(len(constants.LOG1P_OVER_Z))
EXPM1_SMALL: tl.constexpr = tl.constexpr(constants.EXPM1_SMALL)

# The forms of the two parts of a term: KIND is the form of the logarithm plus five times the form of the rest.
NO_LOG: tl.constexpr = tl.constexpr(0)
PLAIN_LOG: tl.constexpr = tl.constexpr(1)  # gamma = 0
LINEAR_LOG: tl.constexpr = tl.constexpr(2)  # gamma = 1
SQUARE_LOG: tl.constexpr = tl.constexpr(3)  # gamma = 2
POWER_LOG: tl.constexpr = tl.constexpr(4)
NO_REST: tl.constexpr = tl.constexpr(0)
LINEAR_REST: tl.constexpr = tl.constexpr(1)  # exponent = 1
POWER_REST: tl.constexpr = tl.constexpr(2)


@triton.jit
def polynomial(z, COEFFICIENTS: tl.constexpr, SIZE: tl.constexpr):
    """Horner's rule; the coefficient of the highest power comes first."""
    r = z * COEFFICIENTS[0] + COEFFICIENTS[1]
    for k in tl.static_range(2, SIZE):
        r = r * z + COEFFICIENTS[k]
    return r


@triton.jit
def exp_tail(z):
    """(exp(z) - 1 - z) / z^2 for |z| <= log(2) / 2."""
    return polynomial(z, EXP_TAIL, EXP_TAIL_SIZE)


@triton.jit
def expm1(x):
    """exp(x) - 1 for x <= 0."""
    return tl.where(x > EXPM1_SMALL, exp_tail(x) * (x * x) + x, tl.exp(x) - 1.0)


@triton.jit
def log1p_unit(z):
    """log(1 + z) for 0 <= z <= 1."""
    return polynomial(z, LOG1P_OVER_Z, LOG1P_OVER_Z_SIZE) * z


@triton.jit
def log1p(u):
    """log(1 + u) for u >= 0."""
    return tl.where(u <= 1.0, log1p_unit(u), tl.log(u + 1.0))


@triton.jit
def term_value(l, p, q, log, gamma, rest, exponent, KIND: tl.constexpr):  # noqa: E741 - l is log p
    """f and df / d log p for f = `log q^gamma (-log p) + rest (1 - p^exponent) / exponent`, with q = 1 - p."""
    form: tl.constexpr = KIND % 5
    rests: tl.constexpr = KIND // 5
    value = tl.zeros_like(l)
    slope = tl.zeros_like(l)
    if form == PLAIN_LOG:
        value = l * -log
        slope = slope - log
    elif form != NO_LOG:
        if form == LINEAR_LOG:
            power = q
            power_slope = tl.zeros_like(q) + 1.0
        elif form == SQUARE_LOG:
            power = q * q
            power_slope = q
        else:
            none = q <= 0.0
            positive = tl.where(none, 1.0, q)
            power = tl.where(none, 0.0, tl.exp(tl.log(positive) * gamma))
            power_slope = tl.where(none, 0.0, power / positive)
        value = power * l * -log
        slope = (power_slope * gamma * tl.where(p <= 0.0, 0.0, p * l) - power) * log
    if rests == LINEAR_REST:
        value += q * rest
        slope -= p * rest
    elif rests == POWER_REST:
        value -= expm1(l * exponent) * (rest / exponent)
        slope -= tl.exp(l * exponent) * rest
    return value, slope
