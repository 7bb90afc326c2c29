"""The fused operators on the CPU: C kernels, called with raw pointers, so that one build serves every PyTorch."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

TYPES = {
    torch.float32: 0, torch.float16: 1, torch.bfloat16: 2, torch.float64: 3, torch.bool: 4,
    torch.uint8: 5, torch.int8: 6, torch.int16: 7, torch.int32: 8, torch.int64: 9,
}  # fmt: skip
INPUTS = (torch.float32, torch.float16, torch.bfloat16)
LINKS = ("sigmoid", "softmax", "difference")
MOST_TERMS = 8
FEW_CLASSES = 8  # whose softmax is kept for the gradient
_REGION = 7
_WRITE_PARTS, _READ_PARTS = 1, 2


class _View(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("type", ctypes.c_int64),
        ("n", ctypes.c_int64),
        ("c", ctypes.c_int64),
        ("s", ctypes.c_int64),
    ]


class _Term(ctypes.Structure):
    _fields_ = [("constants", ctypes.c_double * 4), ("places", ctypes.c_int64 * 4)]


class _Call(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("N", "C", "S", "K", "link", "dense", "has_ignore", "ignore")),
        *((name, ctypes.c_int64) for name in ("pooled", "threads", "stream")),
        *((name, _View) for name in ("input", "target", "weight", "mask", "gradient")),
        ("shift", ctypes.c_void_p),
        ("coefficients", ctypes.c_void_p),
        ("coefficients_n", ctypes.c_int64),
        ("totals", ctypes.c_void_p),
        ("region", ctypes.c_int64 * _REGION),
        ("terms", ctypes.c_int64),
        ("term", _Term * MOST_TERMS),
        ("problem", ctypes.c_int64),
        ("bad_value", ctypes.c_double),
        ("words", ctypes.c_void_p),
        ("priced", ctypes.c_int64),
        ("parts", ctypes.c_int64),
        ("without_parts", ctypes.c_int64),
    ]


def _built() -> str | None:
    found = importlib.util.find_spec("losskit._native")
    return None if found is None else found.origin


_PATH = _built()
AVAILABLE = _PATH is not None
MISSING = (
    "losskit: its C kernels were not built, so the plain PyTorch operators serve: the same numbers, "
    "slower. Install a C compiler and install losskit again to have them."
)


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """The compiled kernels, with PyTorch's own threads."""
    assert _PATH is not None
    kernels = ctypes.CDLL(_PATH)
    kernels.losskit_use_threads_of.argtypes = [ctypes.c_void_p]
    for entry in (kernels.losskit_run, kernels.losskit_rank, kernels.losskit_rank_gradient):
        entry.argtypes, entry.restype = [ctypes.POINTER(_Call)], ctypes.c_int64
    kernels.losskit_level.restype = ctypes.c_int64
    kernels.losskit_level.argtypes = [ctypes.c_int64]
    kernels.losskit_level(-1)
    kernels.losskit_use_threads_of(_openmp())
    return kernels


def _openmp() -> int | None:
    """The address of the OpenMP entry that PyTorch itself uses, or None: then one thread does everything."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*")):
        try:
            entry = ctypes.CDLL(str(path)).GOMP_parallel
        except (OSError, AttributeError):
            continue
        return ctypes.cast(entry, ctypes.c_void_p).value
    return None


def run(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    shift: Tensor | None,
    link: str,
    ignore: int | None,
    places: Sequence[int],
    constants: Sequence[float],
    *,
    pooled: bool,
    totals: bool = False,
    coefficients: Tensor | None = None,
    parts: Tensor | None = None,
) -> tuple[Tensor | None, Tensor | None, tuple[int, float] | None]:
    """One pass: totals (N or 1, C, K), the gradient by the input, and the first value that no label can have.

    `parts` is memory like the input's. With totals it is given what the gradient is made of but for its coefficients,
    where it can be, and comes back as the gradient; with coefficients it becomes the gradient.
    """
    call, held = _describe(input, target, weight, mask, link, ignore, pooled=pooled)
    n, c = input.shape[0], input.shape[1]
    columns = call.K = sum(1 for place in places if place >= 0)
    call.region[:] = places[:_REGION]
    call.terms = len(constants) // 4
    for j in range(call.terms):
        term = call.term[j]
        term.constants[:] = constants[4 * j : 4 * j + 4]
        term.places[:] = places[_REGION + 4 * j : _REGION + 4 * j + 4]
    if shift is not None:
        shift = shift.detach().to(torch.float32).contiguous()
        call.shift = shift.data_ptr()
    sums = gradient = None
    if totals:
        sums = torch.empty((1 if pooled else n, c, columns), dtype=torch.float64)
        call.totals = sums.data_ptr()
    if coefficients is not None:
        gradient = _wanted(call, held, coefficients, input, pooled=pooled, into=parts)
    elif parts is not None:
        gradient = parts
        _look(call.gradient, parts, flat=pooled and input.dim() == 2)
    if parts is not None:
        call.parts = _WRITE_PARTS if totals else _READ_PARTS
    _do("losskit_run", call)
    del held
    if call.without_parts:
        gradient = None
    return sums, gradient, (call.problem, call.bad_value) if call.problem else None


def rank(
    input: Tensor, target: Tensor, mask: Tensor | None, link: str, ignore: int | None, *, pooled: bool, priced: bool
) -> tuple[Tensor, Tensor, tuple[int, float] | None]:
    """Sums of errors by their ranks, positives and what counts, (N or 1, C, 3), and each element's signed price."""
    call, held = _describe(input, target, None, mask, link, ignore, pooled=pooled)
    totals = torch.empty((1 if pooled else input.shape[0], input.shape[1], 3), dtype=torch.float64)
    words = torch.empty(input.shape, dtype=torch.float32)
    call.K, call.totals, call.words, call.priced = 3, totals.data_ptr(), words.data_ptr(), priced
    _do("losskit_rank", call)
    del held
    return totals, words, (call.problem, call.bad_value) if call.problem else None


def rank_gradient(
    coefficients: Tensor,
    prices: Tensor,
    input: Tensor,
    target: Tensor,
    mask: Tensor | None,
    link: str,
    ignore: int | None,
    *,
    pooled: bool,
) -> Tensor:
    """The gradient by the input, in the memory of the prices where that is laid out alike; they are lost."""
    call, held = _describe(input, target, None, mask, link, ignore, pooled=pooled)
    call.K, call.words = 3, prices.data_ptr()
    alike = input.dtype == prices.dtype and input.is_contiguous() and not (pooled and input.dim() == 2)
    gradient = _wanted(call, held, coefficients, input, pooled=pooled, into=prices if alike else None)
    _do("losskit_rank_gradient", call)
    del held
    return gradient


def _describe(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    link: str,
    ignore: int | None,
    *,
    pooled: bool,
) -> tuple[_Call, list[Tensor]]:
    """What every kernel is told, and the tensors that its pointers need to stay alive."""
    call = _Call()
    flat = pooled and input.dim() == 2  # positions are samples: (1, C, N)
    dense = target.dim() == input.dim()
    held = [
        _look(call.input, input, flat),
        _look(call.target, target if dense else target.unsqueeze(1), flat),
    ]
    if weight is not None:
        held.append(_look(call.weight, over(weight, input), flat))
    if mask is not None:
        held.append(_look(call.mask, over(mask, input), flat))
    n, c = input.shape[0], input.shape[1]
    call.N, call.C, call.S = (1, c, n) if flat else (n, c, input.numel() // (n * c))
    call.link, call.dense, call.pooled = LINKS.index(link), dense, pooled
    if ignore is not None:
        call.has_ignore, call.ignore = 1, ignore
    call.threads = torch.get_num_threads()
    return call, held


def _wanted(
    call: _Call,
    held: list[Tensor],
    coefficients: Tensor,
    input: Tensor,
    *,
    pooled: bool,
    into: Tensor | None = None,
) -> Tensor:
    """Ask for the gradient by the input, given that of the totals."""
    flat = pooled and input.dim() == 2
    coefficients = coefficients.to(torch.float64).contiguous()
    call.coefficients = coefficients.data_ptr()
    call.coefficients_n = 0 if pooled else coefficients[0].numel()
    gradient = torch.empty_like(input) if into is None else into
    written = _look(call.gradient, gradient, flat)
    if written.data_ptr() != gradient.data_ptr():  # strides that no single step describes
        gradient = torch.empty_like(input, memory_format=torch.contiguous_format)
        _look(call.gradient, gradient, flat)
    held.append(coefficients)
    return gradient


def _do(entry: str, call: _Call) -> None:
    if getattr(library(), entry)(ctypes.byref(call)):
        raise MemoryError("losskit: no memory for the partial sums of a loss.")


def over(tensor: Tensor, input: Tensor) -> Tensor:
    """A weight or mask, one stride for each dimension of the input, 0 where it repeats."""
    return tensor.detach().expand(input.shape)


def _look(view: _View, tensor: Tensor, flat: bool) -> Tensor:
    """Describe the tensor as (N, C, S), copied only where its spatial dimensions have no common stride."""
    strides = tensor.stride()
    if flat:
        n, s = 0, strides[0]
    else:
        step = 1 if tensor.is_contiguous() else common_stride(tensor.shape[2:], strides[2:])
        if step is None:
            tensor = tensor.contiguous()
            strides = tensor.stride()
            step = 1
        n, s = strides[0], step
    view.data, view.type = tensor.data_ptr(), TYPES[tensor.dtype]
    view.n, view.c, view.s = n, strides[1], s
    return tensor


def common_stride(sizes: Sequence[int], strides: Sequence[int]) -> int | None:
    """The step from one position to the next in the flattened order, or None where it varies."""
    step = expected = None
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        if size == 1:
            continue
        if step is None:
            step = stride
        elif stride != expected:
            return None
        expected = stride * size
    return 1 if step is None else step
