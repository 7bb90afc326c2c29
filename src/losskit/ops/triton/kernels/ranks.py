"""Losses of ranked errors: keys to sort, the increments of the Jaccard loss in sorted order, and the gradient.

A key holds, from its highest bits: the group ranked together, the error in descending order, the position in the
group, and the label. All keys of all groups are sorted at once; equal errors rank by position. Group and position are
(n C + c, s), or (c, n S + s) if the batch is pooled. Keys and increments are stored as (groups, positions).
"""

import triton
import triton.language as tl

from losskit.ops.constants import PROBLEMS
from losskit.ops.triton.kernels.softmax import gradient_of, read_logits, share
from losskit.ops.triton.kernels.softmax_tile import read_target
from losskit.ops.triton.kernels.tiles import (
    BAD_INDEX,
    BAD_ROW,
    KINDS,
    NO_PROBLEM,
    first_label,
    first_position,
    load_tile,
    read_indices,
    read_labels,
    share_of_work,
    store_gradient,
)

BAD_SOFT: tl.constexpr = tl.constexpr(PROBLEMS.index("bad_soft"))
ERROR_BITS: tl.constexpr = tl.constexpr(31)
NAN: tl.constexpr = tl.constexpr(0x7FC00000)  # the largest error
ABSENT: tl.constexpr = tl.constexpr(0x7FFFFFFF)  # of an element that does not count, after every error


@triton.jit
def store_keys(keys, n, c, s, i, C, S, error, truth, counts, inside, POOLED: tl.constexpr, PLACE_BITS: tl.constexpr):
    """Keys of a tile, (C, P)."""
    bits = error.to(tl.int32, bitcast=True).to(tl.int64) & ABSENT
    descending = NAN - tl.where(error != error, NAN, bits)
    descending = tl.where(counts, descending, ABSENT)
    if POOLED:
        group, place = c.to(tl.int64)[:, None], (n * S + s + i).to(tl.int64)[None, :]
    else:
        group, place = (n * C + c).to(tl.int64)[:, None], (s + i).to(tl.int64)[None, :]
    key = (((group << ERROR_BITS) | descending) << PLACE_BITS | place) << 1 | (truth & counts).to(tl.int64)
    at = keys[0] + n * keys[1] + s * keys[3]
    tl.store(at + c[:, None] * keys[2] + i[None, :] * keys[3], key, mask=inside)


@triton.jit
def first_soft(t, counts, n, c, s, i, C, S):
    """The first label that is neither 0 nor 1, or NO_PROBLEM."""
    number = BAD_SOFT * KINDS + ((n * C + c[:, None]) * S + s + i[None, :]).to(tl.int64)
    return tl.min(tl.min(tl.where(counts & (t > 0.0) & (t < 1.0), number, NO_PROBLEM), 1), 0)


@triton.jit
def sigmoid_errors(
    input, target, mask, keys, problems,
    C, S, tiles, size, chunks, blocks, ignore, rounding,
    POOLED: tl.constexpr, PLACE_BITS: tl.constexpr, DENSE: tl.constexpr, SOFT: tl.constexpr,
    HAS_IGNORE: tl.constexpr, WIDE: tl.constexpr, CB: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    """Hinge losses [1 - x (2t - 1)]+ of independent binary labels."""
    _, n, c, i, first, last = share_of_work(chunks, blocks, size, tiles, CB, P, WIDE)
    problem = tl.full((), NO_PROBLEM, tl.int64)
    for tile in range(first, last):
        s = tile * tl.full((), P, tl.int64)
        inside = (c < C)[:, None] & (i < S - s)[None, :]
        counts = inside
        if mask[0] is not None:
            counts = counts & (load_tile(mask, n, c, s, i, inside) != 0)
        if DENSE:
            t, counts, bad = read_labels(target, n, c, s, i, inside, counts, ignore, rounding, SOFT, HAS_IGNORE)
            problem = tl.minimum(problem, first_label(bad, n, c, s, i, C, S))
            if SOFT:
                problem = tl.minimum(problem, first_soft(t, counts, n, c, s, i, C, S))
            truth = t == 1.0
        else:
            index, kept, outside = read_indices(target, n, s, i, C, i < S - s, ignore, HAS_IGNORE)
            bad = counts & outside[None, :]
            at = tl.max(bad.to(tl.int32), 0) > 0
            problem = tl.minimum(problem, first_position(at, n, s, i, S, BAD_INDEX))
            counts = counts & kept[None, :]
            truth = index[None, :] == c[:, None]
        x = load_tile(input, n, c, s, i, inside).to(tl.float32)
        margin = 1.0 + tl.where(truth, -x, x)
        error = tl.where(margin <= 0.0, 0.0, margin)
        store_keys(keys, n, c, s, i, C, S, error, truth, counts, inside, POOLED, PLACE_BITS)
    tl.store(problems + tl.program_id(0), problem)


@triton.jit
def softmax_shares(input, n, c, s, i, C, S, counts):
    """p and 1 - p of every class, whether it is nearly certain, and `others`: see kernels.softmax."""
    x = read_logits(input, None, n, c, s, i, C, i < S - s, counts)
    base = tl.max(x, 0)[None, :]
    e = tl.exp(x - base)
    largest = x >= base
    others = (tl.sum(tl.where(largest, 0.0, e), 0) + (tl.sum(tl.where(largest, e, 0.0), 0) - 1.0))[None, :]
    _, p, q, top = share(x, base, others)
    return p, q, top, others


@triton.jit
def softmax_errors(
    input, target, mask, keys, problems,
    C, S, tiles, size, chunks, blocks, ignore, rounding,
    POOLED: tl.constexpr, PLACE_BITS: tl.constexpr, DENSE: tl.constexpr, SOFT: tl.constexpr,
    HAS_IGNORE: tl.constexpr, WIDE: tl.constexpr, CB: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    """|t - p| of every class; 1 - p does not round to 0."""
    _, n, c, i, first, last = share_of_work(chunks, blocks, size, tiles, CB, P, WIDE)
    problem = tl.full((), NO_PROBLEM, tl.int64)
    for tile in range(first, last):
        s = tile * tl.full((), P, tl.int64)
        inside = (c < C)[:, None] & (i < S - s)[None, :]
        t, _truth, counts, bad, bad_position = read_target(
            target, mask, n, c, s, i, C, S, ignore, rounding, DENSE, SOFT, HAS_IGNORE
        )
        if DENSE:
            problem = tl.minimum(problem, first_label(bad, n, c, s, i, C, S))
            problem = tl.minimum(problem, first_position(bad_position, n, s, i, S, BAD_ROW))
            if SOFT:
                problem = tl.minimum(problem, first_soft(t, inside & counts[None, :], n, c, s, i, C, S))
        else:
            problem = tl.minimum(problem, first_position(bad_position, n, s, i, S, BAD_INDEX))
        p, q, _top, _others = softmax_shares(input, n, c, s, i, C, S, counts)
        truth = t > 0.5
        store_keys(
            keys, n, c, s, i, C, S, tl.where(truth, q, p), truth, inside & counts[None, :], inside, POOLED, PLACE_BITS
        )
    tl.store(problems + tl.program_id(0), problem)


@triton.jit
def read_sorted(sorted, group, first, places, j, PLACE_BITS: tl.constexpr):
    """The keys of a tile of a group, and the label and whether each counts, as int64."""
    rank = first + j
    key = tl.load(sorted + group * places + rank, mask=rank < places, other=0)
    counts = (rank < places) & (((key >> (PLACE_BITS + 1)) & ABSENT) != ABSENT)
    return key, rank, (key & 1) * counts.to(tl.int64), counts


@triton.jit
def count_labels(sorted, found, places, size, chunks, PLACE_BITS: tl.constexpr, TILE: tl.constexpr):
    """The number of positives and of elements in a chunk of a sorted group."""
    group = (tl.program_id(0) // chunks).to(tl.int64)
    chunk = tl.program_id(0) % chunks
    j = tl.arange(0, TILE)
    positives = tl.zeros((TILE,), tl.int64)
    elements = tl.zeros((TILE,), tl.int64)
    for tile in range(chunk * size, (chunk + 1) * size):
        _, _, label, counts = read_sorted(sorted, group, tile * tl.full((), TILE, tl.int64), places, j, PLACE_BITS)
        positives += label
        elements += counts.to(tl.int64)
    tl.store(found + 2 * tl.program_id(0).to(tl.int64), tl.sum(positives, 0))
    tl.store(found + 2 * tl.program_id(0).to(tl.int64) + 1, tl.sum(elements, 0))


@triton.jit
def increments(
    sorted, found, kept, partials, places, size, chunks, C,
    POOLED: tl.constexpr, KEEP: tl.constexpr, PLACE_BITS: tl.constexpr, TILE: tl.constexpr, CHUNKS: tl.constexpr,
):  # fmt: skip
    """Errors times increments, summed for a chunk; KEEP stores each increment, with the sign of the error's slope."""
    group = (tl.program_id(0) // chunks).to(tl.int64)
    chunk = tl.program_id(0) % chunks
    positives = tl.zeros((CHUNKS,), tl.int64)
    earlier = tl.zeros((CHUNKS,), tl.int64)
    for start in range(0, chunks, CHUNKS):
        k = start + tl.arange(0, CHUNKS)
        of_chunk = tl.load(found + 2 * (group * chunks + k), mask=k < chunks, other=0)
        positives += of_chunk
        earlier += tl.where(k < chunk, of_chunk, 0)
    total = tl.sum(positives, 0)
    before = tl.sum(earlier, 0)
    j = tl.arange(0, TILE)
    sums = tl.zeros((TILE,), tl.float64)
    for tile in range(chunk * size, (chunk + 1) * size):
        key, rank, label, counts = read_sorted(sorted, group, tile * tl.full((), TILE, tl.int64), places, j, PLACE_BITS)
        right = before + tl.cumsum(label, 0) - label
        before += tl.sum(label, 0)
        union = total + rank - right  # of the positives and the elements ranked before
        left = tl.where(label == 1, 1, total - right).to(tl.float64)
        below = union.to(tl.float64) * tl.where(label == 1, 1, union + 1).to(tl.float64)
        increment = left / tl.where(below == 0.0, 1.0, below)
        increment = tl.where(total == 0, (rank == 0).to(tl.float64), increment)
        bits = NAN - ((key >> (PLACE_BITS + 1)) & ABSENT)
        error = bits.to(tl.int32).to(tl.float32, bitcast=True)
        counted = counts & (error != 0.0)
        sums += tl.where(counted, increment * error.to(tl.float64), 0.0)
        if KEEP:
            place = (key >> 1) & ((1 << PLACE_BITS) - 1)
            signed = tl.where(counted, tl.where(label == 1, -increment, increment), 0.0)
            tl.store(kept + group * places + place, signed.to(tl.float32), mask=rank < places)
    row = chunk.to(tl.int64) if POOLED else group // C * chunks + chunk
    at = partials + (row * C + group % C) * 3
    own = 2 * (group * chunks + chunk)
    tl.store(at, tl.sum(sums, 0))
    tl.store(at + 1, tl.load(found + own).to(tl.float64))
    tl.store(at + 2, tl.load(found + own + 1).to(tl.float64))


@triton.jit
def increments_by_class(increments, coefficients, n, c, s, i, C, inside):
    """Increments times the coefficient of their class, 0 without an increment."""
    factor = tl.load(coefficients[0] + n * coefficients[1] + c * 3, mask=c < C, other=0.0).to(tl.float32)[:, None]
    increment = load_tile(increments, n, c, s, i, inside)
    return tl.where(increment == 0.0, 0.0, increment * factor)


@triton.jit
def sigmoid_rank_gradient(
    gradient, increments, coefficients, C, S, tiles, size, chunks, blocks,
    WIDE: tl.constexpr, CB: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    """The gradient by the logits of hinge losses."""
    _, n, c, i, first, last = share_of_work(chunks, blocks, size, tiles, CB, P, WIDE)
    for tile in range(first, last):
        s = tile * tl.full((), P, tl.int64)
        inside = (c < C)[:, None] & (i < S - s)[None, :]
        g = increments_by_class(increments, coefficients, n, c, s, i, C, inside)
        store_gradient(gradient, n, c, s, i, g, inside)


@triton.jit
def softmax_rank_gradient(
    input, target, mask, gradient, increments, coefficients,
    C, S, tiles, size, chunks, blocks, ignore, rounding,
    DENSE: tl.constexpr, SOFT: tl.constexpr, HAS_IGNORE: tl.constexpr, WIDE: tl.constexpr,
    CB: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    """The gradient by the logits of |t - p|."""
    _, n, c, i, first, last = share_of_work(chunks, blocks, size, tiles, CB, P, WIDE)
    for tile in range(first, last):
        s = tile * tl.full((), P, tl.int64)
        inside = (c < C)[:, None] & (i < S - s)[None, :]
        t, _truth, counts, _bad, _bad_position = read_target(
            target, mask, n, c, s, i, C, S, ignore, rounding, DENSE, SOFT, HAS_IGNORE
        )
        p, q, top, others = softmax_shares(input, n, c, s, i, C, S, counts)
        factor = increments_by_class(increments, coefficients, n, c, s, i, C, inside)
        r = tl.where(factor == 0.0, 0.0, factor * p)
        below = tl.sum(tl.where(top, 0.0, r), 0)[None, :]
        on_top = tl.sum(tl.where(top, r, 0.0), 0)[None, :]
        g = gradient_of(p, q, top, others, t, r, r, below, on_top, 1.0, counts, False)
        store_gradient(gradient, n, c, s, i, g, inside)
