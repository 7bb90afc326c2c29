"""Element-wise formulas of input and target, both real numbers, so that no target is invalid."""

import triton
import triton.language as tl

from losskit.ops.triton.kernels.tiles import (
    COUNT,
    NO_PROBLEM,
    TERMS,
    add_sums,
    load_factors,
    load_tile,
    no_sums,
    share_of_work,
    size_of,
    store_gradient,
    store_sums,
)


@triton.jit
def _column(values, w, counts, CODE: tl.constexpr):
    """The value of each element in a column."""
    return size_of(w) if CODE == COUNT else tl.where(counts, values[(CODE - TERMS) // 4] * w, 0.0)


@triton.jit
def _columns(values, w, counts, COLUMNS: tl.constexpr, K: tl.constexpr):
    found = ()
    for k in tl.static_range(K):
        found = found + (_column(values, w, counts, COLUMNS[k]),)
    return found


@triton.jit
def _add_slope(slope, slopes, factor, CODE: tl.constexpr):
    if CODE >= TERMS:
        slope += tl.where(factor == 0.0, 0.0, factor * slopes[(CODE - TERMS) // 4])
    return slope


@triton.jit
def difference(
    input, target, weight, mask, gradient, coefficients, partials, keys, constants,
    C, S, tiles, size, chunks, blocks,
    COLUMNS: tl.constexpr, K: tl.constexpr, TERM_VALUES: tl.constexpr,
    TOTALS: tl.constexpr, GRAD: tl.constexpr, WIDE: tl.constexpr, CB: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    """Sums, gradient, or both, for a chunk of positions of a sample and a block of its classes."""
    chunk, n, c, i, first, last = share_of_work(chunks, blocks, size, tiles, CB, P, WIDE)
    if GRAD:
        factors = load_factors(coefficients, n, c, C, K)
    if TOTALS:
        sums = no_sums(CB, P, K)
    for tile in range(first, last):
        s = tile * tl.full((), P, tl.int64)
        inside = (c < C)[:, None] & (i < S - s)[None, :]
        counts = inside
        if mask[0] is not None:
            counts = counts & (load_tile(mask, n, c, s, i, inside) != 0)
        x = tl.where(counts, load_tile(input, n, c, s, i, inside).to(tl.float32), 0.0)
        t = tl.where(counts, load_tile(target, n, c, s, i, inside).to(tl.float32), 0.0)
        w = counts.to(tl.float32)
        if weight[0] is not None:
            w = tl.where(counts, load_tile(weight, n, c, s, i, inside).to(tl.float32), 0.0)
        values, slopes = TERM_VALUES(x, t, constants)
        if TOTALS:
            sums = add_sums(sums, _columns(values, w, counts, COLUMNS, K), K)
        if GRAD:
            g = tl.zeros_like(x)
            for k in tl.static_range(K):
                g = _add_slope(g, slopes, factors[k], COLUMNS[k])
            store_gradient(gradient, n, c, s, i, tl.where(counts, g * w, 0.0), inside)
    if TOTALS:
        store_sums(partials, n * chunks + chunk, c, C, sums, K)
        tl.store(keys + tl.program_id(0), tl.full((), NO_PROBLEM, tl.int64))
