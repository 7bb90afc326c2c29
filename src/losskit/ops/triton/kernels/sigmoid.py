"""Multi-label and binary losses: each element is an independent binary label."""

import triton
import triton.language as tl

from losskit.ops.triton.kernels.maths import log1p_unit
from losskit.ops.triton.kernels.tiles import (
    BAD_INDEX,
    NO_PROBLEM,
    add_sums,
    columns_of,
    first_label,
    first_position,
    load_factors,
    load_logit_bias,
    load_tile,
    no_sums,
    read_indices,
    read_labels,
    region_slope,
    share_of_work,
    store_gradient,
    store_sums,
    term_slope,
)


@triton.jit
def _read(
    target, mask, n, c, s, i, C, S, ignore, rounding,
    DENSE: tl.constexpr, SOFT: tl.constexpr, HAS_IGNORE: tl.constexpr,
):  # fmt: skip
    """Labels, what counts, and where the label is invalid, (C, P) each."""
    inside = (c < C)[:, None] & (i < S - s)[None, :]
    counts = inside
    if mask[0] is not None:
        counts = counts & (load_tile(mask, n, c, s, i, inside) != 0)
    if DENSE:
        t, counts, bad = read_labels(target, n, c, s, i, inside, counts, ignore, rounding, SOFT, HAS_IGNORE)
        counts = counts & (bad == 0)
        t = tl.where(counts, t, 0.0)
    else:
        index, kept, outside = read_indices(target, n, s, i, C, i < S - s, ignore, HAS_IGNORE)
        bad = counts & outside[None, :]
        counts = counts & kept[None, :]
        t = ((index[None, :] == c[:, None]) & counts).to(tl.float32)
    return t, counts, bad


@triton.jit
def _first_bad(
    target, mask, n, c, i, C, S, first, last, ignore, rounding,
    DENSE: tl.constexpr, SOFT: tl.constexpr, HAS_IGNORE: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    key = tl.full((), NO_PROBLEM, tl.int64)
    for tile in range(first, last):
        s = tile * tl.full((), P, tl.int64)
        _, _, bad = _read(target, mask, n, c, s, i, C, S, ignore, rounding, DENSE, SOFT, HAS_IGNORE)
        if DENSE:
            key = tl.minimum(key, first_label(bad, n, c, s, i, C, S))
        else:
            key = tl.minimum(key, first_position(tl.max(bad.to(tl.int32), 0) > 0, n, s, i, S, BAD_INDEX))
    return key


@triton.jit
def sigmoid(
    input, target, weight, mask, gradient, logit_bias, coefficients, partials, keys, constants,
    C, S, tiles, size, chunks, blocks, ignore, rounding,
    COLUMNS: tl.constexpr, K: tl.constexpr, TERM_VALUES: tl.constexpr,
    DENSE: tl.constexpr, SOFT: tl.constexpr, HAS_IGNORE: tl.constexpr, HAS_REGION: tl.constexpr,
    TOTALS: tl.constexpr, GRAD: tl.constexpr, WIDE: tl.constexpr, CB: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    """Sums, gradient, or both, for a chunk of positions of a sample and a block of its classes."""
    chunk, n, c, i, first, last = share_of_work(chunks, blocks, size, tiles, CB, P, WIDE)
    added = load_logit_bias(logit_bias, c[:, None], (c < C)[:, None])
    if GRAD:
        factors = load_factors(coefficients, n, c, C, K)
    if TOTALS:
        sums = no_sums(CB, P, K)
        seen = tl.zeros((CB, P), tl.int32)
    for tile in range(first, last):
        s = tile * tl.full((), P, tl.int64)
        inside = (c < C)[:, None] & (i < S - s)[None, :]
        x = load_tile(input, n, c, s, i, inside).to(tl.float32) + added
        t, counts, bad = _read(target, mask, n, c, s, i, C, S, ignore, rounding, DENSE, SOFT, HAS_IGNORE)
        x = tl.where(counts, x, 0.0)
        w = counts.to(tl.float32)
        if weight[0] is not None:
            w = tl.where(counts, load_tile(weight, n, c, s, i, inside).to(tl.float32), 0.0)
        z = tl.exp(-tl.abs(x))
        d = 1.0 / (1.0 + z)
        up = x >= 0.0
        p = tl.where(up, d, z * d)
        q = tl.where(up, z * d, d)
        difference = tl.where(t == 1.0, -q, p - t)
        curve = log1p_unit(z)
        yes, yes_slopes = TERM_VALUES(-(tl.where(up, 0.0, -x) + curve), p, q, constants)
        no, no_slopes = TERM_VALUES(-(tl.where(up, x, 0.0) + curve), q, p, constants)
        if TOTALS:
            seen = seen | bad.to(tl.int32)
            sums = add_sums(sums, columns_of(p, p * w, t, w, difference, yes, no, COLUMNS, K), K)
        if GRAD:
            g = term_slope(t, yes_slopes, factors, 0, COLUMNS, K) * q
            g -= term_slope(t, no_slopes, factors, 1, COLUMNS, K) * p
            if HAS_REGION:
                g += region_slope(p, t, difference, factors, COLUMNS, K) * (p * q)
            g = tl.where(counts, g * w, 0.0)
            store_gradient(gradient, n, c, s, i, g, inside)
    if TOTALS:
        store_sums(partials, n * chunks + chunk, c, C, sums, K)
        key = tl.full((), NO_PROBLEM, tl.int64)
        if tl.max(tl.max(seen, 1), 0) > 0:
            key = _first_bad(target, mask, n, c, i, C, S, first, last, ignore, rounding, DENSE, SOFT, HAS_IGNORE, P)
        tl.store(keys + tl.program_id(0), key)
