"""Softmax with few enough classes that a tile contains all of them: memory is read once."""

import triton
import triton.language as tl

from losskit.ops.triton.kernels.softmax import (
    element_sums,
    element_terms,
    gradient_of,
    ignored_rows,
    other_slopes,
    read_logits,
    read_row_weights,
    read_soft,
    read_truth,
    truth_part,
)
from losskit.ops.triton.kernels.tiles import (
    BAD_INDEX,
    BAD_ROW,
    NO_PROBLEM,
    ROW_TOLERANCE,
    add_sums,
    first_label,
    first_position,
    load_factors,
    no_sums,
    read_indices,
    read_mask,
    share_of_work,
    store_gradient,
    store_sums,
)


@triton.jit
def read_target(
    target, mask, n, c, s, i, C, S, ignore, rounding,
    DENSE: tl.constexpr, SOFT: tl.constexpr, HAS_IGNORE: tl.constexpr,
):  # fmt: skip
    """Labels (C, P), true class (P,) or -1, what counts (P,), invalid labels (C, P) and invalid positions (P,)."""
    inside = i < S - s
    counts = read_mask(mask, n, s, i, inside)
    truth = tl.zeros_like(i).to(tl.int32) - 1
    if DENSE:
        if HAS_IGNORE:
            counts = counts & (ignored_rows(target, n, c, s, i, C, inside, ignore, SOFT) == 0)
        t, bad = read_soft(target, n, c, s, i, C, counts, rounding)
        total = tl.sum(t, 0)
        bad_position = counts & ((tl.abs(total - 1.0) <= C * rounding + ROW_TOLERANCE) == 0)
    else:
        truth, counts, bad_position = read_indices(target, n, s, i, C, counts, ignore, HAS_IGNORE)
        t = (truth[None, :] == c[:, None]).to(tl.float32)
        bad = (truth[None, :] == c[:, None]) & bad_position[None, :]
    return t, truth, counts, bad, bad_position


@triton.jit
def _first_bad(
    target, mask, n, c, i, C, S, first, last, ignore, rounding,
    DENSE: tl.constexpr, SOFT: tl.constexpr, HAS_IGNORE: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    key = tl.full((), NO_PROBLEM, tl.int64)
    for tile in range(first, last):
        s = tile * tl.full((), P, tl.int64)
        _, _, _, bad, bad_position = read_target(
            target, mask, n, c, s, i, C, S, ignore, rounding, DENSE, SOFT, HAS_IGNORE
        )
        if DENSE:
            key = tl.minimum(key, first_label(bad, n, c, s, i, C, S))
            key = tl.minimum(key, first_position(bad_position, n, s, i, S, BAD_ROW))
        else:
            key = tl.minimum(key, first_position(bad_position, n, s, i, S, BAD_INDEX))
    return key


@triton.jit
def softmax_tile(
    input, target, weight, mask, gradient, logit_bias, coefficients, partials, keys, constants,
    C, S, tiles, size, chunks, ignore, rounding,
    COLUMNS: tl.constexpr, K: tl.constexpr, TERM_VALUES: tl.constexpr,
    DENSE: tl.constexpr, SOFT: tl.constexpr, HAS_IGNORE: tl.constexpr, HAS_REGION: tl.constexpr,
    HAS_PRED: tl.constexpr, PLAIN: tl.constexpr, SPREAD: tl.constexpr, TOTALS: tl.constexpr, GRAD: tl.constexpr,
    WIDE: tl.constexpr, CB: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    """Sums, gradient, or both, for a chunk of positions of a sample."""
    chunk, n, c, i, first, last = share_of_work(chunks, 1, size, tiles, CB, P, WIDE)
    if GRAD:
        factors = load_factors(coefficients, n, c, C, K)
    if TOTALS:
        sums = no_sums(CB, P, K)
        seen = tl.zeros((P,), tl.int32)
    for tile in range(first, last):
        s = tile * tl.full((), P, tl.int64)
        t, truth, counts, bad, bad_position = read_target(
            target, mask, n, c, s, i, C, S, ignore, rounding, DENSE, SOFT, HAS_IGNORE
        )
        w = read_row_weights(weight, n, s, i, i < S - s, counts)
        x = read_logits(input, logit_bias, n, c, s, i, C, i < S - s, counts)
        base = tl.max(x, 0)[None, :]
        e = tl.exp(x - base)
        largest = x >= base
        others = (tl.sum(tl.where(largest, 0.0, e), 0) + (tl.sum(tl.where(largest, e, 0.0), 0) - 1.0))[None, :]
        truth_x = read_truth(input, logit_bias, n, s, i, truth, base, SPREAD)
        p, q, top, truth_p, truth_top, values, slopes = element_terms(
            x, truth_x, base, others, constants, TERM_VALUES, SPREAD
        )
        if TOTALS:
            seen = seen | bad_position.to(tl.int32)
            if DENSE:
                seen = seen | tl.max(bad.to(tl.int32), 0)
            sums = add_sums(sums, element_sums(p, p * w, q, t, w, values, COLUMNS, K), K)
        if GRAD:
            added, below, on_top = truth_part(coefficients, n, truth, truth_p, truth_top, slopes, PLAIN, COLUMNS, K)
            r = other_slopes(p, q, t, slopes, factors, COLUMNS, K, HAS_REGION, HAS_PRED, PLAIN)
            if HAS_PRED or not PLAIN:
                below += tl.sum(tl.where(top, 0.0, r), 0)[None, :]
                on_top += tl.sum(tl.where(top, r, 0.0), 0)[None, :]
            g = gradient_of(p, q, top, others, t, r, added, below, on_top, w, counts, PLAIN)
            store_gradient(gradient, n, c, s, i, g, (c < C)[:, None] & (i < S - s)[None, :])
    if TOTALS:
        store_sums(partials, n * chunks + chunk, c, C, sums, K)
        key = tl.full((), NO_PROBLEM, tl.int64)
        if tl.max(seen, 0) > 0:
            key = _first_bad(target, mask, n, c, i, C, S, first, last, ignore, rounding, DENSE, SOFT, HAS_IGNORE, P)
        tl.store(keys + tl.program_id(0), key)
