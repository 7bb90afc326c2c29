"""The sums of all programs, added in a fixed order; NaN and the first problem if a label was invalid."""

import triton
import triton.language as tl

from losskit.ops.triton.kernels.tiles import BAD_INDEX, BAD_ROW, KINDS, NO_PROBLEM


@triton.jit
def first_problem(keys, count, KEYS: tl.constexpr):
    """The first problem that the programs reported, or NO_PROBLEM."""
    key = tl.full((), NO_PROBLEM, tl.int64)
    for start in range(0, count, KEYS):
        at = start + tl.arange(0, KEYS)
        key = tl.minimum(key, tl.min(tl.load(keys + at, mask=at < count, other=NO_PROBLEM), 0))
    return key


@triton.jit
def store_problem(key, target, problem, C, S, otherwise):
    """Store the first invalid label, if any, else another kind of problem."""
    kind = tl.where(key == NO_PROBLEM, otherwise, key // KINDS)
    value = tl.zeros((), tl.float64)
    if key != NO_PROBLEM:
        element = key % KINDS
        s = element % S
        if kind == BAD_INDEX:
            at = target[0] + element // S * target[1] + s * target[3]
            value = tl.load(at).to(tl.float64)
        elif kind == BAD_ROW:
            at = target[0] + element // S * target[1] + s * target[3]
            for c in range(C):
                value += tl.load(at + c * target[2]).to(tl.float64)
        else:
            at = target[0] + element // S // C * target[1] + element // S % C * target[2] + s * target[3]
            value = tl.load(at).to(tl.float64)
    tl.store(problem, kind.to(tl.float64))
    tl.store(problem + 1, value)


@triton.jit
def reduce(
    partials, keys, target, totals, problem,
    count, rows, room, blocks, C, S,
    KEYS: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Add `rows` rows of partial sums into one row of totals; a program adds a block of columns."""
    pid = tl.program_id(0)
    key = first_problem(keys, count, KEYS)
    row = (pid // blocks).to(tl.int64)
    column = pid % blocks * BLOCK + tl.arange(0, BLOCK)
    sums = tl.zeros((ROWS, BLOCK), tl.float64)
    for start in range(0, rows, ROWS):
        r = start + tl.arange(0, ROWS)
        at = (row * rows + r[:, None]) * room + column[None, :]
        sums += tl.load(partials + at, mask=(r < rows)[:, None] & (column < room)[None, :], other=0.0)
    total = tl.sum(sums, 0)
    total = tl.where(key == NO_PROBLEM, total, float("nan"))
    tl.store(totals + row * room + column, total, mask=column < room)
    if pid == 0:
        store_problem(key, target, problem, C, S, 0)
