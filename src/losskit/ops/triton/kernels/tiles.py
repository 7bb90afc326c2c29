"""Functions common to all kernels on a tile of C classes by P positions: loads, columns, slopes.

A tensor is passed as (pointer, n, c, s), with strides, 0 along broadcast dimensions. The pointer is None if absent.
"""

import triton
import triton.language as tl

from losskit.ops.constants import MOST_WEIGHT as _MOST_WEIGHT
from losskit.ops.constants import PROBLEMS, REGION_COLUMNS
from losskit.ops.constants import ROW_TOLERANCE as _ROW_TOLERANCE

# The code of a column: its index among the region columns, or TERMS + 4 * term + slot.
TP: tl.constexpr = tl.constexpr(REGION_COLUMNS.index("tp"))
PRED: tl.constexpr = tl.constexpr(REGION_COLUMNS.index("pred"))
TARGET: tl.constexpr = tl.constexpr(REGION_COLUMNS.index("target"))
COUNT: tl.constexpr = tl.constexpr(REGION_COLUMNS.index("count"))
PRED_SQ: tl.constexpr = tl.constexpr(REGION_COLUMNS.index("pred_sq"))
TARGET_SQ: tl.constexpr = tl.constexpr(REGION_COLUMNS.index("target_sq"))
TP_L1: tl.constexpr = tl.constexpr(REGION_COLUMNS.index("tp_l1"))
FP_L1: tl.constexpr = tl.constexpr(REGION_COLUMNS.index("fp_l1"))
FN_L1: tl.constexpr = tl.constexpr(REGION_COLUMNS.index("fn_l1"))
MOST_WEIGHT: tl.constexpr = tl.constexpr(_MOST_WEIGHT)
TERMS: tl.constexpr = tl.constexpr(len(REGION_COLUMNS))

# An invalid label is reported as kind * KINDS + index of the element; NO_PROBLEM is larger than all of these.
BAD_INDEX: tl.constexpr = tl.constexpr(PROBLEMS.index("bad_index"))
BAD_LABEL: tl.constexpr = tl.constexpr(PROBLEMS.index("bad_label"))
BAD_ROW: tl.constexpr = tl.constexpr(PROBLEMS.index("bad_row"))
ROW_TOLERANCE: tl.constexpr = tl.constexpr(_ROW_TOLERANCE)
KINDS: tl.constexpr = tl.constexpr(1 << 60)
NO_PROBLEM: tl.constexpr = tl.constexpr((1 << 63) - 1)


@triton.jit
def numbers(first, COUNT_: tl.constexpr, WIDE: tl.constexpr):
    """first, first + 1, ...: 64-bit if the offsets of a tile may need it."""
    found = first + tl.arange(0, COUNT_)
    return found.to(tl.int64) if WIDE else found


@triton.jit
def share_of_work(chunks, blocks, size, tiles, CB: tl.constexpr, P: tl.constexpr, WIDE: tl.constexpr):
    """The work of a program: chunk of sample n, block of classes, positions of a tile, first tile and end."""
    pid = tl.program_id(0)
    chunk = pid % chunks
    first = chunk * size
    c = numbers(pid // chunks % blocks * CB, CB, WIDE)
    n = (pid // chunks // blocks).to(tl.int64)
    return chunk, n, c, numbers(0, P, WIDE), first, tl.minimum(first + size, tiles)


@triton.jit
def load_tile(tensor, n, c, s, i, inside):
    """(C, P) elements of sample n at classes c and positions s + i; 0 outside."""
    at = tensor[0] + n * tensor[1] + s * tensor[3]
    return tl.load(at + c[:, None] * tensor[2] + i[None, :] * tensor[3], mask=inside, other=0)


@triton.jit
def load_row(tensor, n, s, i, inside):
    """(P,) elements of the first class of sample n."""
    return tl.load(tensor[0] + n * tensor[1] + s * tensor[3] + i * tensor[3], mask=inside, other=0)


@triton.jit
def load_logit_bias(logit_bias, c, inside):
    return 0.0 if logit_bias is None else tl.load(logit_bias + c, mask=inside, other=0.0)


@triton.jit
def incoming(coefficients):
    """The incoming gradient, which multiplies the coefficients; 1 if there is none."""
    return 1.0 if coefficients[2] is None else tl.load(coefficients[2]).to(tl.float64)


@triton.jit
def load_factors(coefficients, n, c, C, K: tl.constexpr):
    """K columns of (C, 1) coefficients: the gradient of each total."""
    factors = ()
    by = incoming(coefficients)
    for k in tl.static_range(K):
        at = coefficients[0] + n * coefficients[1] + c * K + k
        factors = factors + ((tl.load(at, mask=c < C, other=0.0) * by).to(tl.float32)[:, None],)
    return factors


@triton.jit
def no_sums(CB: tl.constexpr, P: tl.constexpr, K: tl.constexpr):
    sums = ()
    for _ in tl.static_range(K):
        sums = sums + (tl.zeros((CB, P), tl.float32),)
    return sums


@triton.jit
def add_sums(sums, columns, K: tl.constexpr):
    """Element-wise sums over the tiles of a program: threads exchange data only after the last tile."""
    added = ()
    for k in tl.static_range(K):
        added = added + (sums[k] + columns[k],)
    return added


@triton.jit
def store_sums(partials, row, c, C, sums, K: tl.constexpr):
    """The per-class sums of a program: float32 up to here, float64 from here on."""
    for k in tl.static_range(K):
        total = tl.sum(sums[k], 1).to(tl.float64)
        tl.store(partials + (row.to(tl.int64) * C + c) * K + k, total, mask=c < C)


@triton.jit
def store_gradient(gradient, n, c, s, i, g, inside):
    at = gradient[0] + n * gradient[1] + s * gradient[3]
    at += c[:, None] * gradient[2] + i[None, :] * gradient[3]
    tl.store(at, g.to(gradient[0].dtype.element_ty), mask=inside)


@triton.jit
def first_label(bad, n, c, s, i, C, S):
    """The first invalid label (C, P) of a tile, or NO_PROBLEM."""
    number = BAD_LABEL * KINDS + ((n * C + c[:, None]) * S + s + i[None, :]).to(tl.int64)
    return tl.min(tl.min(tl.where(bad, number, NO_PROBLEM), 1), 0)


@triton.jit
def first_position(bad, n, s, i, S, KIND: tl.constexpr):
    """The first position (P,) of a tile with an invalid index or row sum, or NO_PROBLEM."""
    number = KIND * KINDS + (n * S + s + i).to(tl.int64)
    return tl.min(tl.where(bad, number, NO_PROBLEM), 0)


@triton.jit
def read_labels(target, n, c, s, i, inside, counts, ignore, rounding, SOFT: tl.constexpr, HAS_IGNORE: tl.constexpr):
    """(C, P) labels of a target with classes, what counts, and where the label is invalid."""
    label = load_tile(target, n, c, s, i, inside)
    t = label.to(tl.float32)
    if HAS_IGNORE:
        counts = counts & ((t if SOFT else label) != ignore)
    bad = counts & (((t >= -rounding) & (t <= 1.0 + rounding)) == 0)
    return t, counts, bad


@triton.jit
def read_indices(target, n, s, i, C, counts, ignore, HAS_IGNORE: tl.constexpr):
    """(P,) class indices, what counts, and where an index is out of range."""
    index = load_row(target, n, s, i, counts).to(tl.int64)
    if HAS_IGNORE:
        counts = counts & (index != ignore)
    bad = counts & ((index < 0) | (index >= C))
    counts = counts & (bad == 0)
    return tl.where(counts, index, -1).to(tl.int32), counts, bad


@triton.jit
def read_mask(mask, n, s, i, inside):
    counts = inside
    if mask[0] is not None:
        counts = counts & (load_row(mask, n, s, i, inside) != 0)
    return counts


@triton.jit
def size_of(w):
    """A weight as part of a denominator: NaN if it is negative, above MOST_WEIGHT or NaN."""
    return tl.where((w >= 0.0) & (w <= MOST_WEIGHT), w, float("nan"))


@triton.jit
def share_below(difference):
    """1 where p < t, 0 where p > t and 1/2 where both are equal."""
    return 0.5 * (1.0 + (difference < 0.0).to(tl.float32) - (difference > 0.0).to(tl.float32))


@triton.jit
def l1_column(p, t, difference, CODE: tl.constexpr):
    """min(p, t), or the excess of p or t over it; NaN where p is NaN."""
    if CODE == TP_L1:
        value = tl.where(difference >= 0.0, t, p)
    elif CODE == FP_L1:
        value = tl.where(difference <= 0.0, 0.0, difference)
    else:
        value = tl.where(difference >= 0.0, 0.0, -difference)
    return value


@triton.jit
def column_of(p, pw, t, w, difference, yes, no, CODE: tl.constexpr):
    """The value of each element in a column; pw is p times w. `yes` and `no` are the term values of both labels.

    Where the share is 0 the result is 0, even if the term is infinite; this also covers places outside the tensor.
    """
    if CODE == TP:
        value = pw * t
    elif CODE == PRED:
        value = pw
    elif CODE == TARGET:
        value = t * size_of(w)
    elif CODE == COUNT:
        value = size_of(w)
    elif CODE == PRED_SQ:
        value = p * pw
    elif CODE == TARGET_SQ:
        value = t * t * w
    elif CODE >= TP_L1 and CODE <= FN_L1:
        value = l1_column(p, t, difference, CODE) * w
    elif (CODE - TERMS) % 4 == 0:
        value = tl.where(t == 0.0, 0.0, yes[(CODE - TERMS) // 4] * t * w)
    elif (CODE - TERMS) % 4 == 1:
        value = tl.where((t == 1.0) | (w == 0.0), 0.0, no[(CODE - TERMS) // 4] * (1.0 - t) * w)
    elif (CODE - TERMS) % 4 == 2:
        value = tl.where(w == 0.0, 0.0, yes[(CODE - TERMS) // 4] * w)
    else:
        value = tl.where(w == 0.0, 0.0, no[(CODE - TERMS) // 4] * w)
    return value


@triton.jit
def columns_of(p, pw, t, w, difference, yes, no, COLUMNS: tl.constexpr, K: tl.constexpr):
    found = ()
    for k in tl.static_range(K):
        found = found + (column_of(p, pw, t, w, difference, yes, no, COLUMNS[k]),)
    return found


@triton.jit
def add_region_slope(slope, p, t, difference, factor, CODE: tl.constexpr):
    if CODE == TP:
        slope += factor * t
    elif CODE == PRED:
        slope += factor
    elif CODE == PRED_SQ:
        slope += 2.0 * factor * p
    elif CODE == TP_L1:
        slope += factor * share_below(difference)
    elif CODE == FP_L1:
        slope += factor * (1.0 - share_below(difference))
    elif CODE == FN_L1:
        slope -= factor * share_below(difference)
    return slope


@triton.jit
def region_slope(p, t, difference, factors, COLUMNS: tl.constexpr, K: tl.constexpr):
    """The derivative of the region columns by p."""
    slope = tl.zeros_like(p)
    for k in tl.static_range(K):
        slope = add_region_slope(slope, p, t, difference, factors[k], COLUMNS[k])
    return slope


@triton.jit
def add_term_slope(slope, t, slopes, factor, SIDE: tl.constexpr, CODE: tl.constexpr):
    if CODE >= TERMS and (CODE - TERMS) % 2 == SIDE:
        share = factor
        if (CODE - TERMS) % 4 == 0:
            share = factor * t
        elif (CODE - TERMS) % 4 == 1:
            share = factor * (1.0 - t)
        slope += tl.where(share == 0.0, 0.0, share * slopes[(CODE - TERMS) // 4])
    return slope


@triton.jit
def term_slope(t, slopes, factors, SIDE: tl.constexpr, COLUMNS: tl.constexpr, K: tl.constexpr):
    """The derivative of the term columns of one label by log p; 0 where the share is 0, even if infinite."""
    slope = tl.zeros_like(t)
    for k in tl.static_range(K):
        slope = add_term_slope(slope, t, slopes, factors[k], SIDE, COLUMNS[k])
    return slope
