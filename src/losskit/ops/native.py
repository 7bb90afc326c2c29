"""The fused CPU operators: C kernels called with raw pointers, so that one build works with every PyTorch version."""

from __future__ import annotations

import ctypes
import importlib.util
import warnings
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from losskit.ops import constants
from losskit.ops.columns import KernelColumns
from losskit.ops.inputs import Inputs, can_hold
from losskit.ops.structures import Call, Doubles, Slots, Term, View, Wasserstein

TYPES: dict[torch.dtype, int] = {getattr(torch, name): code for code, name in enumerate(constants.DTYPES)}
INPUTS = (torch.float32, torch.float16, torch.bfloat16)
LINKS, MOST_TERMS, FEW_CLASSES = constants.LINKS, constants.MOST_TERMS, constants.FEW_CLASSES
_REGION = len(constants.REGION_COLUMNS)
_SAVE_ACTIVATIONS = constants.ACTIVATIONS.index("save_activations")
_USE_ACTIVATIONS = constants.ACTIVATIONS.index("use_activations")


def _built() -> str | None:
    found = importlib.util.find_spec("losskit._native")
    return None if found is None else found.origin


_PATH = _built()
AVAILABLE = _PATH is not None
MISSING = (
    "losskit: the C kernels were not built. Falling back to plain PyTorch: the same values, but slower. "
    "To build them, install a C compiler and reinstall losskit."
)


OTHER_VERSION = (
    f"losskit: the compiled kernels, {_PATH}, are of another version than the Python files that call them. Run "
    "`pip install .` again in the source directory of losskit."
)
LEVELS = ("plain C", "AVX2", "AVX-512")
NO_MEMORY = "losskit: the kernels could not allocate memory for a tile or for partial sums; nothing was computed."


class LosskitWarning(UserWarning):
    """Warns of behaviour that the caller may not expect."""


@cache
def warn_missing() -> None:
    """Warn once per process that the compiled kernels are missing."""
    warnings.warn(MISSING, LosskitWarning, stacklevel=2)


def level() -> str:
    """The instruction set that the kernels use on this machine."""
    return LEVELS[library().losskit_level(-1)]


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """The compiled kernels, set up to use the threads of PyTorch."""
    assert _PATH is not None
    kernels = ctypes.CDLL(_PATH)
    _compare_versions(kernels)
    kernels.losskit_use_threads_of.argtypes = [ctypes.c_void_p]
    for entry in (kernels.losskit_run, kernels.losskit_rank, kernels.losskit_rank_gradient):
        entry.argtypes, entry.restype = [ctypes.POINTER(Call)], ctypes.c_int64
    kernels.losskit_distances.restype = ctypes.c_int64
    kernels.losskit_distances.argtypes = [
        *[ctypes.c_void_p] * 2,
        ctypes.c_int64,
        *[ctypes.c_void_p] * 2,
        *[ctypes.c_int64] * 2,
    ]
    kernels.losskit_wasserstein.argtypes = [ctypes.POINTER(Wasserstein)]
    kernels.losskit_wasserstein.restype = kernels.losskit_level.restype = ctypes.c_int64
    kernels.losskit_level.argtypes = kernels.losskit_fail_allocation.argtypes = [ctypes.c_int64]
    kernels.losskit_level(-1)
    kernels.losskit_use_threads_of(_openmp())
    return kernels


def _compare_versions(kernels: ctypes.CDLL) -> None:
    try:
        kernels.losskit_abi.restype = ctypes.c_int64
        same = kernels.losskit_abi() == constants.FINGERPRINT << 16 | ctypes.sizeof(Call)
    except AttributeError:  # compiled before this function existed
        same = False
    if not same:
        raise ImportError(OTHER_VERSION)


def _openmp() -> int | None:
    """The address of the OpenMP entry point that PyTorch uses; None makes the kernels single-threaded."""
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
    logit_bias: Tensor | None,
    link: str,
    ignore: int | None,
    places: Sequence[int],
    constants: Sequence[float],
    *,
    pooled: bool,
    totals: bool = False,
    coefficients: Tensor | None = None,
    saved: SavedActivations | None = None,
) -> tuple[Tensor | None, Tensor | None, tuple[int, float] | None]:
    """One pass: totals (N or 1, C, K), the gradient by the input, and the first invalid label as (kind, value)."""
    call, held = _describe(input, target, weight, mask, link, ignore, pooled=pooled)
    call.K, call.region, call.terms, call.term = _sums(tuple(places), tuple(constants))
    if logit_bias is not None:
        logit_bias = logit_bias.detach().to(torch.float32).contiguous()
        call.logit_bias = logit_bias.data_ptr()
        held.append(logit_bias)
    sums = gradient = None
    if totals:
        shape = 1 if pooled else input.shape[0], input.shape[1], call.K
        sums = torch.empty(shape, dtype=torch.float64, device="cpu")
        call.totals = sums.data_ptr()
    if coefficients is not None:
        gradient = request_gradient(call, held, coefficients, input, pooled=pooled)
    elif saved is not None:
        assert saved.memory is not None
        call.gradient, written = view_of(saved.memory, flat=pooled and input.dim() == 2)
        assert written is saved.memory  # the kernels must not write to a copy
        call.activations = _SAVE_ACTIVATIONS
    invoke("losskit_run", call)
    if saved is not None:
        if call.activations_not_saved:
            saved.memory = None
        else:
            saved.call, saved.held = call, held[1:]
    return sums, gradient, (call.problem, call.bad_value) if call.problem else None


@lru_cache(maxsize=2)
def entries(size: int, *, locked: bool) -> tuple[Any, Any]:
    """The entry points of a whole loss and of its gradient. `locked` keeps the GIL, which makes short calls faster.

    `size` is the size of the structure that describes a loss.
    """
    if library().losskit_size_of_loss() != size:
        raise ImportError(OTHER_VERSION)
    kernels = ctypes.PyDLL(_PATH) if locked else library()
    run, gradient = kernels.losskit_loss, kernels.losskit_loss_gradient
    pointers, number, whole = [ctypes.c_void_p] * 6, ctypes.c_double, ctypes.c_int64
    run.argtypes = [*pointers, *[ctypes.c_void_p] * 4, number, ctypes.c_void_p, ctypes.c_void_p, whole, whole]
    gradient.argtypes = [*pointers, ctypes.c_void_p, ctypes.c_void_p, number, whole, whole]
    run.restype = gradient.restype = whole
    return run, gradient


def details() -> tuple[float, float, float]:
    """Details of the last loss call of this thread: the problem, the offending value, and a factor on the gradient."""
    found = (ctypes.c_double * 3)()
    library().losskit_details(found)
    return found[0], found[1], found[2]


def described(inputs: Inputs, planned: KernelColumns, *, pooled: bool) -> tuple[Call, bool]:
    """A call for tensors of this layout without addresses, and whether the kernels can read each in place."""
    input, target, weight, mask, _ = inputs.tensors
    ignore = inputs.ignore_index if can_hold(target, inputs.ignore_index) else None
    call, held = _describe(input, target, weight, mask, inputs.link, ignore, pooled=pooled)
    given = [t for t in (input, target, weight, mask) if t is not None]
    alike = all(_lies(a, b) for a, b in zip(held, given, strict=True))
    call.K, call.region, call.terms, call.term = _sums(tuple(planned[0]), tuple(planned[1]))
    sample = torch.empty_like(input)
    call.gradient, written = view_of(sample, pooled and input.dim() == 2)
    for name in ("input", "target", "weight", "mask", "gradient"):
        getattr(call, name).data = None
    return call, alike and written is sample


def _lies(view: Tensor, tensor: Tensor) -> bool:
    """Whether a view starts at the address of the tensor."""
    return view.data_ptr() == tensor.data_ptr()


@lru_cache(maxsize=256)
def _sums(places: tuple[int, ...], constants: tuple[float, ...]) -> tuple[int, Any, int, Any]:
    """A plan in the format of the kernels: number of columns, region columns, number of terms, terms."""
    region, slots = places[:_REGION], places[_REGION:]
    starts = range(0, len(constants), 4)
    terms = [Term(Doubles(*constants[k : k + 4]), Slots(*slots[k : k + 4])) for k in starts]
    columns = sum(1 for place in places if place >= 0)
    return columns, (ctypes.c_int64 * _REGION)(*region), len(terms), (Term * MOST_TERMS)(*terms)


class SavedActivations:
    """Activations that a forward pass saves for the gradient by the input, in the memory of that gradient.

    Where the kernels support it, they write there what the gradient needs besides that of the totals, and set `call`.
    The gradient is then computed without reading the input.
    """

    held: Sequence[Tensor] = ()  # tensors whose addresses the call contains

    def __init__(self, memory: Tensor) -> None:
        self.memory: Tensor | None = memory
        self.call: Call | None = None

    def gradient(self, coefficients: Tensor) -> Tensor:
        """The gradient by the input, in the same memory. Call once: autograd copies a tensor referenced elsewhere."""
        call, gradient = self.call, self.memory
        assert call is not None
        assert gradient is not None
        self.call = self.memory = None
        held = set_coefficients(call, coefficients)
        call.totals, call.activations = None, _USE_ACTIVATIONS
        invoke("losskit_run", call)
        del held
        self.held = ()
        return gradient


def rank(
    input: Tensor,
    target: Tensor,
    mask: Tensor | None,
    link: str,
    ignore: int | None,
    *,
    pooled: bool,
    keep_increments: bool,
) -> tuple[Tensor, Tensor, tuple[int, float] | None]:
    """Lovász extensions, counts of positives and elements, (N or 1, C, 3), and signed per-element increments."""
    call, held = _describe(input, target, None, mask, link, ignore, pooled=pooled)
    totals = torch.empty((1 if pooled else input.shape[0], input.shape[1], 3), dtype=torch.float64, device="cpu")
    words = torch.empty(input.shape, dtype=torch.float32, device="cpu")
    call.K, call.totals, call.keys, call.keep_increments = 3, totals.data_ptr(), words.data_ptr(), keep_increments
    invoke("losskit_rank", call)
    del held
    return totals, words, (call.problem, call.bad_value) if call.problem else None


def rank_gradient(
    coefficients: Tensor,
    increments: Tensor,
    input: Tensor,
    target: Tensor,
    mask: Tensor | None,
    link: str,
    ignore: int | None,
    *,
    pooled: bool,
) -> Tensor:
    """The gradient by the input from the increments, whose memory it reuses if both have the same layout."""
    call, held = _describe(input, target, None, mask, link, ignore, pooled=pooled)
    call.K, call.keys = 3, increments.data_ptr()
    alike = input.dtype == increments.dtype and input.is_contiguous() and not (pooled and input.dim() == 2)
    gradient = request_gradient(call, held, coefficients, input, pooled=pooled, into=increments if alike else None)
    invoke("losskit_rank_gradient", call)
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
) -> tuple[Call, list[Tensor]]:
    """The arguments common to all kernels, and the tensors that must outlive the call: it contains their addresses."""
    flat = pooled and input.dim() == 2  # positions are samples: (1, C, N)
    dense = target.dim() == input.dim()
    n, c = input.shape[0], input.shape[1]
    samples, positions = (1, n) if flat else (n, input.numel() // (n * c))
    call = Call(
        N=samples, C=c, S=positions, link=LINKS.index(link), dense=dense, has_ignore=ignore is not None,
        ignore=ignore or 0, pooled=pooled, threads=torch.get_num_threads(),
    )  # fmt: skip
    call.input, input = view_of(input, flat)
    call.target, target = view_of(target if dense else target.unsqueeze(1), flat)
    held = [input, target]
    for name, tensor in (("weight", weight), ("mask", mask)):
        if tensor is not None:
            view, tensor = view_of(expand_to(tensor, input), flat)
            setattr(call, name, view)
            held.append(tensor)
    return call, held


def set_coefficients(call: Call, coefficients: Tensor) -> Tensor:
    """Set the gradient of the totals; return the tensor that must outlive the call."""
    if coefficients.dtype != torch.float64 or not coefficients.is_contiguous():
        coefficients = coefficients.to(torch.float64).contiguous()
    call.coefficients = coefficients.data_ptr()
    call.coefficients_n = 0 if call.pooled else call.C * call.K
    return coefficients


def request_gradient(
    call: Call,
    held: list[Tensor],
    coefficients: Tensor,
    input: Tensor,
    *,
    pooled: bool,
    into: Tensor | None = None,
) -> Tensor:
    """Make the call compute the gradient by the input from that of the totals."""
    flat = pooled and input.dim() == 2
    held.append(set_coefficients(call, coefficients))
    gradient = torch.empty_like(input) if into is None else into
    call.gradient, written = view_of(gradient, flat)
    if written is not gradient:  # its spatial dimensions have no common stride
        gradient = torch.empty_like(input, memory_format=torch.contiguous_format)
        call.gradient, _ = view_of(gradient, flat)
    return gradient


def distances(mask: Tensor, spacing: Sequence[float]) -> Tensor:
    """Distances of a contiguous bool mask: see losskit.ops.distances."""
    dims = len(spacing)
    sizes = mask.shape[mask.dim() - dims :]
    found = torch.empty(mask.shape, dtype=torch.float64, device="cpu")
    short_of_memory = library().losskit_distances(
        mask.data_ptr(), found.data_ptr(), mask.shape[: mask.dim() - dims].numel(), (ctypes.c_int64 * dims)(*sizes),
        (ctypes.c_double * dims)(*spacing), dims, torch.get_num_threads(),
    )  # fmt: skip
    if short_of_memory:
        raise MemoryError(NO_MEMORY)
    return found


def wasserstein(input: Tensor, labels: Tensor, distances: Tensor, gradient: Tensor | None) -> Tensor | None:
    """Sums (N, 3) of contiguous float32 logits (N, C, *) and class indices (N, S), and the gradient of each distance.

    See csrc/call.h. None where a label is no class.
    """
    samples, classes, size = input.shape[0], input.shape[1], labels.shape[1]
    sums = torch.empty((samples, 3), dtype=torch.float64, device="cpu")
    call = Wasserstein(
        input.data_ptr(), labels.data_ptr(), distances.data_ptr(), None if gradient is None else gradient.data_ptr(),
        sums.data_ptr(), samples, classes, size, torch.get_num_threads(),
    )  # fmt: skip
    result = library().losskit_wasserstein(ctypes.byref(call))
    if result == 1:
        raise MemoryError(NO_MEMORY)
    return None if result else sums


def invoke(entry: str, call: Call) -> None:
    if getattr(library(), entry)(ctypes.byref(call)):
        raise MemoryError(NO_MEMORY)


def expand_to(tensor: Tensor, input: Tensor) -> Tensor:
    """A weight or mask expanded to the shape of the input, with stride 0 along broadcast dimensions."""
    return tensor.detach().expand(input.shape)


def view_of(tensor: Tensor, flat: bool) -> tuple[View, Tensor]:
    """The tensor as (N, C, S), copied only if its spatial dimensions have no common stride."""
    strides = tensor.stride()
    if flat:
        return View(tensor.data_ptr(), TYPES[tensor.dtype], 0, strides[1], strides[0]), tensor
    step = 1 if tensor.is_contiguous() else common_stride(tensor.shape[2:], strides[2:])
    if step is None:
        return view_of(tensor.contiguous(), flat)
    return View(tensor.data_ptr(), TYPES[tensor.dtype], strides[0], strides[1], step), tensor


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
