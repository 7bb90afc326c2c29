"""Operations of formulas, as in `csrc/operations.h`, and helpers of the last kernel of a loss, in float64."""

import triton
import triton.language as tl


@triton.jit
def kept(g, value):
    """A share of a gradient; 0 if the gradient is 0, since an operand that was not selected has no gradient."""
    return tl.where(g == 0.0, 0.0, value)


@triton.jit
def condition(truth, like):
    """A condition as 1 or 0, in the dtype of another number."""
    return truth.to(like.dtype)


@triton.jit
def sign(a):
    return condition(a > 0.0, a) - condition(a < 0.0, a)


@triton.jit
def expm1(a):
    """exp(a) - 1, corrected by the rounded exponential (Kahan)."""
    u = tl.exp(a)
    small = (u == 1.0) | (u == 0.0) | (tl.abs(a) > 30.0)
    safe = tl.where(small, 2.0, u)
    return tl.where(u == 1.0, a, tl.where(small, u - 1.0, (safe - 1.0) * a / tl.log(safe)))


@triton.jit
def log1p(a):
    """log(1 + a), corrected by the rounded sum (Kahan)."""
    u = a + 1.0
    near = (u != 1.0) & (tl.abs(a) < 1.0)
    safe = tl.where(near, u, 2.0)
    return tl.where(u == 1.0, a, tl.where(near, tl.log(safe) * a / (safe - 1.0), tl.log(u)))


@triton.jit
def power(a, b):
    """a raised to the power b."""
    size = tl.abs(a)
    found = tl.exp(tl.log(tl.where(size == 0.0, 1.0, size)) * b)
    found = tl.where(size == 0.0, tl.where(b > 0.0, 0.0, float("inf")), found)
    whole = tl.floor(b) == b
    odd = whole & (tl.floor(b * 0.5) * 2.0 != b)
    some = whole | (size == float("inf"))  # of a negative base
    found = tl.where(a < 0.0, tl.where(odd, -found, tl.where(some, found, float("nan"))), found)
    return tl.where((b == 0.0) | (a == 1.0), 1.0, found)


@triton.jit
def sigmoid(a):
    return 1.0 / (1.0 + tl.exp(-a))


@triton.jit
def tanh(a):
    """Computed from exp(2 |a|) - 1, which avoids cancellation."""
    u = expm1(tl.minimum(tl.abs(a), 20.0) * 2.0)
    return tl.where(a != a, a, sign(a) * (u / (u + 2.0)))


@triton.jit
def cosh(a):
    return 0.5 * tl.exp(tl.abs(a)) + 0.5 * tl.exp(-tl.abs(a))


@triton.jit
def sinh(a):
    u = expm1(tl.abs(a))
    return sign(a) * tl.where(u > 1e16, 0.5 * u, 0.5 * (u + u / (u + 1.0)))


@triton.jit
def nearest(a):
    """The nearest integer, half to even."""
    below = tl.floor(a)
    rest = a - below
    up = (rest > 0.5) | ((rest == 0.5) & (tl.floor(below * 0.5) * 2.0 != below))
    return tl.where(up, below + 1.0, below)


@triton.jit
def least(a, b):
    return tl.where((a != a) | (a < b), a, b)


@triton.jit
def most(a, b):
    return tl.where((a != a) | (a > b), a, b)


@triton.jit
def chosen(a, b, g):
    """The gradient g of the minimum of a and b by a: half where both are equal."""
    return tl.where(a == b, 0.5 * g, tl.where(a > b, 0.0, g))


@triton.jit
def number(numbers, K: tl.constexpr):
    """A float64 number, passed as the sum of two float32 numbers."""
    return tl.zeros((), tl.float64) + numbers[2 * K] + numbers[2 * K + 1]


@triton.jit
def of_class(option, c, inside):
    """A per-class option; 1 if it is None."""
    found = tl.full(c.shape, 1.0, tl.float64)
    if option is not None:
        found = tl.load(option + c, mask=inside, other=0.0).to(tl.float64)
    return found


@triton.jit
def column(totals, at, k, K: tl.constexpr, inside):
    """A column of each region."""
    return tl.load(totals + at * K + k, mask=inside, other=0.0)


@triton.jit
def over_rows(totals, c, rows, C, k, K: tl.constexpr, inside):
    """A column of each class, summed over samples."""
    found = tl.zeros(c.shape, tl.float64)
    for n in range(rows):
        found += tl.load(totals + (n * C + c) * K + k, mask=inside, other=0.0)
    return found


@triton.jit
def divided(numerator, denominator, EMPTY_NAN: tl.constexpr):
    """A quotient and its derivative by the numerator; the value of an empty loss if the denominator is 0."""
    none = denominator == 0.0
    safe = tl.where(none, 1.0, denominator)
    empty = float("nan") if EMPTY_NAN else numerator * 0.0
    return tl.where(none, empty, numerator / safe), tl.where(none, 0.0, 1.0 / safe)


@triton.jit
def add_partials(partials, totals, regions, chunks, C, K: tl.constexpr, CHUNKS: tl.constexpr, BLOCK: tl.constexpr):
    """The partial sums of each region, added in a fixed order."""
    for start in range(0, regions * C * K, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < regions * C * K
        row, rest = at // (C * K), at % (C * K)
        found = tl.zeros((BLOCK,), tl.float64)
        for first in range(0, chunks, CHUNKS):
            j = first + tl.arange(0, CHUNKS)
            place = (row[None, :] * chunks + j[:, None]).to(tl.int64) * (C * K) + rest[None, :]
            found += tl.sum(tl.load(partials + place, mask=(j < chunks)[:, None] & inside[None, :], other=0.0), 0)
        tl.store(totals + at, found, mask=inside)
