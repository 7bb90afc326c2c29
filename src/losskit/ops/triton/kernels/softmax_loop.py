"""Softmax with too many classes for one tile: per-position quantities by blocks of classes, then sums and gradient."""

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
    share,
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
    numbers,
    read_indices,
    read_mask,
    share_of_work,
    store_gradient,
    store_sums,
)


@triton.jit
def _load_known(known, n, s, i, S, inside, ROWS: tl.constexpr):
    """Results of the first kernel: base, others and, for a gradient, below and on_top, (1, P) each."""
    rows = ()
    for k in tl.static_range(ROWS):
        rows = rows + (tl.load(known + (n * ROWS + k) * S + s + i, mask=inside, other=0.0)[None, :],)
    return rows


@triton.jit
def _truth_slopes(
    coefficients, constants, n, truth, truth_x, base, others,
    COLUMNS: tl.constexpr, K: tl.constexpr, TERM_VALUES: tl.constexpr, PLAIN: tl.constexpr,
):  # fmt: skip
    l, p, q, top = share(truth_x, base, others)  # noqa: E741
    _, slopes = TERM_VALUES(l, p, q, constants)
    _, below, on_top = truth_part(coefficients, n, truth, p, top, slopes, PLAIN, COLUMNS, K)
    return below, on_top


@triton.jit
def _slopes(
    input, target, logit_bias, coefficients, constants, n, s, i, C, inside, counts, truth, truth_x, base, others,
    rounding,
    COLUMNS: tl.constexpr, K: tl.constexpr, TERM_VALUES: tl.constexpr,
    DENSE: tl.constexpr, HAS_REGION: tl.constexpr, HAS_PRED: tl.constexpr, PLAIN: tl.constexpr, SPREAD: tl.constexpr,
    WIDE: tl.constexpr, CB: tl.constexpr,
):  # fmt: skip
    """below and on_top, (1, P), by blocks of classes if classes other than the true one have a slope."""
    below, on_top = _truth_slopes(
        coefficients, constants, n, truth, truth_x, base, others, COLUMNS, K, TERM_VALUES, PLAIN
    )
    if HAS_PRED or not PLAIN:
        for start in range(0, C, CB):
            c = numbers(start, CB, WIDE)
            factors = load_factors(coefficients, n, c, C, K)
            x = read_logits(input, logit_bias, n, c, s, i, C, inside, counts)
            t = (truth[None, :] == c[:, None]).to(tl.float32)
            if DENSE:
                t, _ = read_soft(target, n, c, s, i, C, counts, rounding)
            p, q, top, _, _, _, slopes = element_terms(x, truth_x, base, others, constants, TERM_VALUES, SPREAD)
            r = other_slopes(p, q, t, slopes, factors, COLUMNS, K, HAS_REGION, HAS_PRED, PLAIN)
            below += tl.sum(tl.where(top, 0.0, r), 0)[None, :]
            on_top += tl.sum(tl.where(top, r, 0.0), 0)[None, :]
    return below, on_top


@triton.jit
def softmax_positions(
    input, target, mask, logit_bias, coefficients, known, truths, keys, constants,
    C, S, tiles, ignore, rounding,
    COLUMNS: tl.constexpr, K: tl.constexpr, TERM_VALUES: tl.constexpr,
    DENSE: tl.constexpr, SOFT: tl.constexpr, HAS_IGNORE: tl.constexpr, HAS_REGION: tl.constexpr,
    HAS_PRED: tl.constexpr, PLAIN: tl.constexpr, SPREAD: tl.constexpr, TOTALS: tl.constexpr, GRAD: tl.constexpr,
    WIDE: tl.constexpr, CB: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    """A tile of positions over all classes: one sweep for the softmax, and a second one for a gradient."""
    pid = tl.program_id(0)
    n = (pid // tiles).to(tl.int64)
    s = (pid % tiles).to(tl.int64) * P
    i = numbers(0, P, WIDE)
    inside = i < S - s
    counts = read_mask(mask, n, s, i, inside)
    truth = tl.zeros_like(i).to(tl.int32) - 1
    key = tl.full((), NO_PROBLEM, tl.int64)
    if DENSE:
        if HAS_IGNORE:
            for start in range(0, C, CB):
                c = numbers(start, CB, WIDE)
                counts = counts & (ignored_rows(target, n, c, s, i, C, inside, ignore, SOFT) == 0)
    else:
        truth, counts, outside = read_indices(target, n, s, i, C, counts, ignore, HAS_IGNORE)
        key = first_position(outside, n, s, i, S, BAD_INDEX)
    base = tl.full((P,), float("-inf"), tl.float32)
    less = tl.zeros((P,), tl.float32)
    most = tl.zeros((P,), tl.float32)
    total = tl.zeros((P,), tl.float32)
    for start in range(0, C, CB):
        c = numbers(start, CB, WIDE)
        x = read_logits(input, logit_bias, n, c, s, i, C, inside, counts)
        higher = tl.maximum(base, tl.max(x, 0))
        finite = tl.where(higher == float("-inf"), 0.0, higher)
        e = tl.exp(x - finite[None, :])
        largest = x >= higher[None, :]
        below = tl.sum(tl.where(largest, 0.0, e), 0)
        equal = tl.sum(tl.where(largest, e, 0.0), 0)
        same = base == higher
        less = tl.where(same, less, (less + most) * tl.exp(base - finite)) + below
        most = tl.where(same, most, 0.0) + equal
        base = higher
        if DENSE and TOTALS:
            t, bad = read_soft(target, n, c, s, i, C, counts, rounding)
            total += tl.sum(t, 0)
            key = tl.minimum(key, first_label(bad, n, c, s, i, C, S))
    if DENSE and TOTALS:
        bad_row = counts & ((tl.abs(total - 1.0) <= C * rounding + ROW_TOLERANCE) == 0)
        key = tl.minimum(key, first_position(bad_row, n, s, i, S, BAD_ROW))
    others = less + (most - 1.0)
    ROWS: tl.constexpr = 4 if GRAD else 2
    at = known + n * ROWS * S + s + i
    tl.store(at, base, mask=inside)
    tl.store(at + S, others, mask=inside)
    tl.store(truths + n * S + s + i, tl.where(counts, truth, -2), mask=inside)
    if TOTALS:
        tl.store(keys + pid, key)
    if GRAD:
        truth_x = read_truth(input, logit_bias, n, s, i, truth, base[None, :], SPREAD)
        below, on_top = _slopes(
            input, target, logit_bias, coefficients, constants, n, s, i, C, inside, counts, truth, truth_x,
            base[None, :], others[None, :], rounding,
            COLUMNS, K, TERM_VALUES, DENSE, HAS_REGION, HAS_PRED, PLAIN, SPREAD, WIDE, CB,
        )  # fmt: skip
        tl.store((at + 2 * S)[None, :], below, mask=inside[None, :])
        tl.store((at + 3 * S)[None, :], on_top, mask=inside[None, :])


@triton.jit
def softmax_classes(
    input, target, weight, gradient, logit_bias, coefficients, known, truths, partials, constants,
    C, S, tiles, size, chunks, blocks, rounding,
    COLUMNS: tl.constexpr, K: tl.constexpr, TERM_VALUES: tl.constexpr,
    DENSE: tl.constexpr, HAS_REGION: tl.constexpr, HAS_PRED: tl.constexpr, PLAIN: tl.constexpr, SPREAD: tl.constexpr,
    TOTALS: tl.constexpr, GRAD: tl.constexpr, WIDE: tl.constexpr, CB: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    """Sums, gradient, or both, for a chunk of positions of a sample and a block of its classes."""
    chunk, n, c, i, first, last = share_of_work(chunks, blocks, size, tiles, CB, P, WIDE)
    if GRAD:
        factors = load_factors(coefficients, n, c, C, K)
    if TOTALS:
        sums = no_sums(CB, P, K)
    ROWS: tl.constexpr = 4 if GRAD else 2
    for tile in range(first, last):
        s = tile * tl.full((), P, tl.int64)
        inside = i < S - s
        row = _load_known(known, n, s, i, S, inside, ROWS)
        truth = tl.load(truths + n * S + s + i, mask=inside, other=-2)
        counts = truth > -2
        w = read_row_weights(weight, n, s, i, inside, counts)
        x = read_logits(input, logit_bias, n, c, s, i, C, inside, counts)
        t = (truth[None, :] == c[:, None]).to(tl.float32)
        if DENSE:
            t, _ = read_soft(target, n, c, s, i, C, counts, rounding)
        truth_x = read_truth(input, logit_bias, n, s, i, truth, row[0], SPREAD)
        p, q, top, truth_p, truth_top, values, slopes = element_terms(
            x, truth_x, row[0], row[1], constants, TERM_VALUES, SPREAD
        )
        if TOTALS:
            sums = add_sums(sums, element_sums(p, p * w, q, t, w, values, COLUMNS, K), K)
        if GRAD:
            added, _, _ = truth_part(coefficients, n, truth, truth_p, truth_top, slopes, PLAIN, COLUMNS, K)
            r = other_slopes(p, q, t, slopes, factors, COLUMNS, K, HAS_REGION, HAS_PRED, PLAIN)
            g = gradient_of(p, q, top, row[1], t, r, added, row[2], row[3], w, counts, PLAIN)
            store_gradient(gradient, n, c, s, i, g, (c < C)[:, None] & inside[None, :])
    if TOTALS:
        store_sums(partials, n * chunks + chunk, c, C, sums, K)
