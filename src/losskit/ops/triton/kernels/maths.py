"""Elementary functions on tiles, as `csrc/maths.h` has them, and the terms that losses are made of."""

import triton
import triton.language as tl

# How a term's two parts are written: KIND is that of its logarithm plus five times that of its rest.
NO_LOG: tl.constexpr = tl.constexpr(0)
PLAIN_LOG: tl.constexpr = tl.constexpr(1)  # gamma is 0
LINEAR_LOG: tl.constexpr = tl.constexpr(2)  # 1
SQUARE_LOG: tl.constexpr = tl.constexpr(3)  # 2
POWER_LOG: tl.constexpr = tl.constexpr(4)
NO_REST: tl.constexpr = tl.constexpr(0)
LINEAR_REST: tl.constexpr = tl.constexpr(1)  # q is 1
POWER_REST: tl.constexpr = tl.constexpr(2)


@triton.jit
def exp_tail(z):
    """exp(z) - 1 - z, over z^2, for |z| <= log(2) / 2."""
    r = z * 0.000198909809 + 0.00139336416
    r = r * z + 0.00833331048
    r = r * z + 0.0416664667
    r = r * z + 0.166666672
    return r * z + 0.5


@triton.jit
def expm1(x):
    """exp(x) - 1 for x <= 0."""
    return tl.where(x > -0.34, exp_tail(x) * (x * x) + x, tl.exp(x) - 1.0)


@triton.jit
def log1p_unit(z):
    """log(1 + z) for 0 <= z <= 1."""
    r = z * -0.00317605701 + 0.0195425265
    r = r * z - 0.0563736111
    r = r * z + 0.105436236
    r = r * z - 0.152696669
    r = r * z + 0.196632743
    r = r * z - 0.249516159
    r = r * z + 0.333297104
    r = r * z - 0.499998927
    return (r * z + 1.0) * z


@triton.jit
def log1p(u):
    """log(1 + u) for u >= 0."""
    return tl.where(u <= 1.0, log1p_unit(u), tl.log(u + 1.0))


@triton.jit
def price(l, p, q, log, gamma, rest, exponent, KIND: tl.constexpr):  # noqa: E741 - l is log p
    """f(log p) and df / d log p of `log q^gamma (-log p) + rest (1 - p^exponent) / exponent`, where q is 1 - p."""
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
            steeper = tl.zeros_like(q) + 1.0
        elif form == SQUARE_LOG:
            power = q * q
            steeper = q
        else:
            none = q <= 0.0
            positive = tl.where(none, 1.0, q)
            power = tl.where(none, 0.0, tl.exp(tl.log(positive) * gamma))
            steeper = tl.where(none, 0.0, power / positive)
        value = power * l * -log
        slope = (steeper * gamma * tl.where(p <= 0.0, 0.0, p * l) - power) * log
    if rests == LINEAR_REST:
        value += q * rest
        slope -= p * rest
    elif rests == POWER_REST:
        value -= expm1(l * exponent) * (rest / exponent)
        slope -= tl.exp(l * exponent) * rest
    return value, slope
