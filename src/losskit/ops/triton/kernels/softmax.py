"""Softmax: one class of several at each position. Per-position quantities over all classes:

base    the largest logit
others  the sum of exp(x - base) over the other classes, from which 1 - p of a nearly certain class is exact
below   the sum over the other classes of r, the gradient of the totals by each log p
on_top  r of the largest class

Then dL/dx_c = r_c - p_c (below + on_top). For a nearly certain class this cancels; q_c r_c - p_c below replaces it.
"""

import triton
import triton.language as tl

from losskit.ops.triton.kernels.maths import log1p
from losskit.ops.triton.kernels.tiles import (
    PRED,
    TERMS,
    TP,
    columns_of,
    incoming,
    load_row,
    load_tile,
    region_slope,
    term_slope,
)


@triton.jit
def read_logits(input, logit_bias, n, c, s, i, C, inside, counts):
    """(C, P) logits: -infinity beyond the last class, 0 where a position does not count."""
    real = (c < C)[:, None]
    x = load_tile(input, n, c, s, i, real & inside[None, :]).to(tl.float32)
    if logit_bias is not None:
        x += tl.load(logit_bias + c[:, None], mask=real, other=0.0)
    return tl.where(real, tl.where(counts[None, :], x, 0.0), float("-inf"))


@triton.jit
def read_truth(input, logit_bias, n, s, i, truth, base, SPREAD: tl.constexpr):
    """(1, P) logits of the true class; arbitrary if SPREAD, where no term needs them."""
    x = base
    if not SPREAD:
        known = truth >= 0
        c = tl.where(known, truth, 0).to(i.dtype)
        at = input[0] + n * input[1] + s * input[3] + c * input[2] + i * input[3]
        x = tl.load(at, mask=known, other=0).to(tl.float32)[None, :]
        if logit_bias is not None:
            x += tl.where(known, tl.load(logit_bias + c, mask=known, other=0.0), 0.0)[None, :]
    return x


@triton.jit
def share(x, base, others):
    """log p, p, 1 - p, and whether a class is nearly certain (others < 1)."""
    less = x - base
    inverse = 1.0 / (1.0 + others)
    p = tl.exp(less) * inverse
    top = (x >= base) & (others < 1.0)
    return less - log1p(others), p, tl.where(top, others * inverse, 1.0 - p), top


@triton.jit
def element_terms(
    x, truth_x, base, others, constants, TERM_VALUES: tl.constexpr, SPREAD: tl.constexpr
):  # fmt: skip
    """p, 1 - p and top per element, p and top of the true class; terms of the true class or, if SPREAD, per element."""
    l, p, q, top = share(x, base, others)  # noqa: E741
    truth_l, truth_p, truth_q, truth_top = share(truth_x, base, others)
    if SPREAD:
        values, slopes = TERM_VALUES(l, p, q, constants)
    else:
        values, slopes = TERM_VALUES(truth_l, truth_p, truth_q, constants)
    return p, q, top, truth_p, truth_top, values, slopes


@triton.jit
def element_sums(p, pw, q, t, w, values, COLUMNS: tl.constexpr, K: tl.constexpr):
    difference = tl.where(t == 1.0, -q, p - t)
    return columns_of(p, pw, t, w, difference, values, values, COLUMNS, K)


@triton.jit
def element_slopes(p, q, t, slopes, factors, COLUMNS: tl.constexpr, K: tl.constexpr, HAS_REGION: tl.constexpr):
    """r, the gradient of the totals by each log p."""
    r = term_slope(t, slopes, factors, 0, COLUMNS, K)
    if HAS_REGION:
        difference = tl.where(t == 1.0, -q, p - t)
        r += region_slope(p, t, difference, factors, COLUMNS, K) * p
    return r


@triton.jit
def add_truth_slope(slope, at, by, known, truth_p, slopes, CODE: tl.constexpr):
    if CODE == TP:
        slope += (tl.load(at, mask=known, other=0.0) * by).to(tl.float32)[None, :] * truth_p
    elif CODE >= TERMS:
        factor = (tl.load(at, mask=known, other=0.0) * by).to(tl.float32)[None, :]
        slope += tl.where(factor == 0.0, 0.0, factor * slopes[(CODE - TERMS) // 4])
    return slope


@triton.jit
def truth_slope(coefficients, n, truth, truth_p, slopes, COLUMNS: tl.constexpr, K: tl.constexpr):
    """(1, P) contribution of the true class to its r, if only `pred` depends on other classes."""
    known = truth >= 0
    at = coefficients[0] + n * coefficients[1] + tl.where(known, truth, 0).to(tl.int64) * K
    by = incoming(coefficients)
    slope = tl.zeros_like(truth_p)
    for k in tl.static_range(K):
        slope = add_truth_slope(slope, at + k, by, known, truth_p, slopes, COLUMNS[k])
    return slope


@triton.jit
def add_pred_factor(factor, given, CODE: tl.constexpr):
    return given if CODE == PRED else factor


@triton.jit
def pred_factor(factors, COLUMNS: tl.constexpr, K: tl.constexpr):
    """(C, 1) coefficients of `pred`."""
    factor = tl.zeros_like(factors[0])
    for k in tl.static_range(K):
        factor = add_pred_factor(factor, factors[k], COLUMNS[k])
    return factor


@triton.jit
def truth_part(
    coefficients, n, truth, truth_p, truth_top, slopes, PLAIN: tl.constexpr, COLUMNS: tl.constexpr, K: tl.constexpr
):
    """(1, P) contribution of the true class to its r, and the resulting below and on_top."""
    added = tl.zeros_like(truth_p)
    if PLAIN:
        added = truth_slope(coefficients, n, truth, truth_p, slopes, COLUMNS, K)
    return added, tl.where(truth_top, 0.0, added), tl.where(truth_top, added, 0.0)


@triton.jit
def other_slopes(
    p, q, t, slopes, factors, COLUMNS: tl.constexpr, K: tl.constexpr,
    HAS_REGION: tl.constexpr, HAS_PRED: tl.constexpr, PLAIN: tl.constexpr,
):  # fmt: skip
    """(C, P) r, without the contribution of `truth_part`."""
    if not PLAIN:
        r = element_slopes(p, q, t, slopes, factors, COLUMNS, K, HAS_REGION)
    elif HAS_PRED:
        r = pred_factor(factors, COLUMNS, K) * p
    else:
        r = tl.zeros_like(p)
    return r


@triton.jit
def gradient_of(p, q, top, others, t, r, added, below, on_top, w, counts, PLAIN: tl.constexpr):
    g = r - p * (below + on_top)
    if PLAIN:
        g += tl.where(t == 1.0, added, 0.0)
        exact = (others * on_top - below) / (1.0 + others)
    else:
        exact = q * r - p * below
    return tl.where(counts[None, :], tl.where(top, exact, g) * w, 0.0)


@triton.jit
def ignored_rows(target, n, c, s, i, C, inside, ignore, SOFT: tl.constexpr):
    """(P,) 1 where the label of a class is the ignored value."""
    label = load_tile(target, n, c, s, i, (c < C)[:, None] & inside[None, :])
    found = (label.to(tl.float32) if SOFT else label) == ignore
    return tl.max((found & (c < C)[:, None]).to(tl.int32), 0)


@triton.jit
def read_soft(target, n, c, s, i, C, counts, rounding):
    """(C, P) labels, 0 where a position does not count; and where the label is invalid."""
    inside = (c < C)[:, None] & counts[None, :]
    t = load_tile(target, n, c, s, i, inside).to(tl.float32)
    return t, inside & (((t >= -rounding) & (t <= 1.0 + rounding)) == 0)


@triton.jit
def read_row_weights(weight, n, s, i, inside, counts):
    """(1, P) weights, 0 where a position does not count."""
    w = counts.to(tl.float32)
    if weight[0] is not None:
        w = tl.where(counts, load_row(weight, n, s, i, inside).to(tl.float32), 0.0)
    return w[None, :]
