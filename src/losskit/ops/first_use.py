"""Whether the Triton kernels may serve on a device: each form of them is compared with the definition at its first use.

A form is what a kernel is compiled for. One that raises, takes too long to compile or gives other numbers does not
serve from then on, and plain PyTorch does. Nothing is compared while PyTorch compiles, transforms or captures.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from losskit.ops import comparison, reference
from losskit.ops.columns import Column, KernelColumns
from losskit.ops.comparison import Definition
from losskit.ops.formula import Program
from losskit.ops.inputs import Inputs, can_hold

LIMIT = 120.0  # seconds that the first compilation of a form may take
NOT_COMPARED = (
    "its kernels have not been compared with plain PyTorch yet, and here nothing can be: call it once outside"
)
NOTHING_TO_COMPARE = "its kernels have not been compared with plain PyTorch yet: a slice of this input gave no numbers"
REPORT = "https://github.com/losskit/losskit/issues"


class Verdict(NamedTuple):
    """Whether kernels serve, and how that is known."""

    problem: str = ""  # why they do not
    note: str = ""  # what was compared

    @property
    def failed(self) -> bool:
        """Whether the kernels were tried and found wanting."""
        return self.problem not in ("", NOT_COMPARED, NOTHING_TO_COMPARE)


Form = tuple[Any, ...]
_verdicts: dict[Form, Verdict] = {}  # by form and tile
_serves: dict[Form, bool] = {}  # by form, for code that cannot look at sizes: whether every tile compared serves
_tries: dict[Form, int] = {}  # comparisons that had nothing to compare
_slow: set[torch.device] = set()  # where a compilation took too long: none is begun there again
_warned: set[torch.device] = set()
_lock = threading.RLock()


def form_of(
    tensors: Sequence[Tensor | None], link: str, ignore_index: int, planned: KernelColumns,
    programs: Sequence[Program | None] = (), *, pooled: bool,
) -> Form:  # fmt: skip
    """What kernels are compiled for, besides sizes."""
    input, target, weight, mask, logit_bias = tensors
    assert input is not None
    assert target is not None
    places, constants = planned
    terms: Any = tuple([_kind(*constants[k : k + 4]) for k in range(0, len(constants), 4)])
    if any(programs):
        terms = _name_of_terms(tuple(constants), tuple(programs))
    return (
        input.device, link, input.dtype, target.dtype, target.dim() == input.dim(), can_hold(target, ignore_index),
        None if weight is None else weight.dtype, mask is None, logit_bias is None, pooled and input.dim() == 2,
        tuple(places), terms,
    )  # fmt: skip


def _kind(log: float, gamma: float, rest: float, q: float) -> tuple[float, ...]:
    """How a term is written: see `kernels.maths`."""
    return log != 0, gamma if gamma in (0, 1, 2) else -1, rest != 0, q == 1


def _name_of_terms(constants: tuple[float, ...], programs: tuple[Program | None, ...]) -> str:
    """What tells the printed function of these terms from others; raises Untraceable where it cannot be printed."""
    from losskit.ops.triton import terms  # with Triton, which not everybody has

    return terms.printed(constants, programs).name


def form_and_tile(
    inputs: Inputs, planned: KernelColumns, programs: Sequence[Program | None] = (), *, pooled: bool
) -> Form:
    """The form of a call, and the sizes that decide what tile it takes."""
    form = form_of(inputs.tensors, inputs.link, inputs.ignore_index, planned, programs, pooled=pooled)
    return *form, _tile(inputs)


def verdict(
    inputs: Inputs, planned: KernelColumns, programs: Sequence[Program | None] = (),
    defined: Definition | None = None, *, pooled: bool,
) -> Verdict:  # fmt: skip
    """Whether the kernels serve this call, after a comparison where this is the first of its form.

    `defined` computes the totals by plain PyTorch, where `planned` does not say all of them.
    """
    form = form_of(inputs.tensors, inputs.link, inputs.ignore_index, planned, programs, pooled=pooled)
    if not inputs.is_plain:
        serves = _serves.get(form)
        return Verdict() if serves else Verdict(NOT_COMPARED if serves is None else "its kernels failed")
    with _lock:
        device = inputs.input.device
        whole = *form, _tile(inputs)
        known = _verdicts.get(whole)
        if known is not None:
            return known
        if device in _slow:
            return Verdict(_took_too_long(device))
        if is_capturing(inputs.input):
            return Verdict(NOT_COMPARED)
        tries = _tries[whole] = _tries.get(whole, 0) + 1
        if tries & (tries - 1):  # at the first, second, fourth, eighth ... call
            return Verdict(NOTHING_TO_COMPARE)
        found = _compared(inputs, planned, programs, defined, pooled=pooled)
        if found.problem == NOTHING_TO_COMPARE:
            return found
        _keep(whole, found)
        if found.problem:
            _warn(inputs.owner, device, found.problem)
        return found


def _keep(whole: Form, found: Verdict) -> None:
    _verdicts[whole] = found
    form = whole[:-1]
    _serves[form] = not found.problem and _serves.get(form, True)


def failed(whole: Form, owner: str, error: Exception) -> None:
    """Let the kernels of a call that raised serve no more."""
    problem = said(error)
    with _lock:
        _keep(whole, Verdict(problem))
        _warn(owner, whole[0], problem)


def compiled_kernels(
    inputs: Inputs, planned: KernelColumns, programs: Sequence[Program | None] = (), *, pooled: bool
) -> Callable[..., Any]:
    """What launches the kernels of a call, once they are compiled; raises TimeoutError where that takes too long."""
    from losskit.ops import triton  # which imports nothing of Triton until a kernel is asked for

    ignored = inputs.ignore_index if can_hold(inputs.target, inputs.ignore_index) else None
    given = (*inputs.tensors, inputs.link, ignored, *planned)
    within_limit(lambda: triton.compile_kernels(*given, pooled=pooled, programs=programs))
    return partial(triton.run, programs=programs) if any(programs) else triton.run


def _compared(
    inputs: Inputs, planned: KernelColumns, programs: Sequence[Program | None], defined: Definition | None, *,
    pooled: bool,
) -> Verdict:  # fmt: skip
    device, start = inputs.input.device, time.perf_counter()
    part = comparison.slice_of(inputs)

    def compare() -> str:
        kernels = compiled_kernels(part, planned, programs, pooled=pooled)
        outcome = comparison.compare(kernels, part, planned, defined, pooled=pooled)
        return outcome.problem if outcome.is_conclusive else NOTHING_TO_COMPARE

    problem = _tried(device, compare)
    took, count = 1000 * (time.perf_counter() - start), part.input.numel()
    note = f"compared with plain PyTorch on {name_of(device)}: {count} elements, once, in {took:.0f} ms"
    return Verdict(problem, "" if problem else note)


def _tried(device: torch.device, compare: Callable[[], str]) -> str:
    """What a comparison finds wrong, or what it raises."""
    try:
        return compare()
    except TimeoutError as error:
        _slow.add(device)
        return str(error)
    except Exception as error:  # whatever a compiler or a driver raises
        if is_shortage(error):
            raise
        return said(error)


def prove(key: Form, owner: str, compare: Callable[[], str]) -> str:
    """What is wrong with a kernel that a loss has of its own, from one comparison of each such kernel on a device."""
    device = key[0]
    with _lock:
        known = _verdicts.get(key)
        if known is not None:
            return known.problem
        if device in _slow:
            return _took_too_long(device)
        problem = _tried(device, compare)
        if problem != NOTHING_TO_COMPARE:
            _verdicts[key] = Verdict(problem)
            if problem:
                _warn(owner, device, problem)
        return problem


def _took_too_long(device: torch.device) -> str:
    return f"compiling a kernel took longer than {LIMIT:g} s on {device}"


def within_limit(work: Callable[[], None]) -> None:
    """Do the work in a thread; raise TimeoutError where it is not done in time, and leave it alone."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=run, name="losskit-compilation", daemon=True)
    thread.start()
    thread.join(LIMIT)
    if thread.is_alive():
        raise TimeoutError(f"compiling its kernels took longer than {LIMIT:g} s")
    if errors:
        raise errors[0]


def _tile(inputs: Inputs) -> tuple[int, ...]:
    """The sizes that decide which kernel serves and what tile it takes, to the next power of two."""
    shape = inputs.input.shape
    positions = shape[0] if len(shape) == 2 else shape[2:].numel()
    nearest = inputs.input.stride(1) == 1 and shape[1] > 1  # classes are neighbours in memory
    return (shape[1] - 1).bit_length(), min((positions - 1).bit_length(), 13), nearest


def is_capturing(tensor: Tensor) -> bool:
    return tensor.is_cuda and torch.cuda.is_current_stream_capturing()


def is_shortage(error: Exception) -> bool:
    """Whether memory ran out, for which no kernel is to blame."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError))


def said(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"a launch of its kernels raised {type(error).__name__}: {lines[0][:200]}"


def name_of(device: torch.device) -> str:
    """A device with what its maker calls it."""
    if device.type != "cuda":
        return str(device)
    maker = "ROCm" if torch.version.hip else "CUDA"
    return f"{device} ({torch.cuda.get_device_name(device)}, {maker})"


def _warn(owner: str, device: torch.device, problem: str) -> None:
    if device in _warned:
        return
    _warned.add(device)
    warnings.warn(
        f"losskit: the Triton kernels of {owner} do not serve on {name_of(device)}: {problem}. Plain PyTorch serves "
        f"instead: the same numbers, slower. Please report this, with what `losskit doctor` prints, at {REPORT}. "
        "LOSSKIT_BACKEND=triton uses the kernels nevertheless, LOSSKIT_BACKEND=reference never tries them.",
        RuntimeWarning,
        stacklevel=2,
    )


def forget() -> None:
    """Compare everything again."""
    with _lock:
        for known in (_verdicts, _serves, _tries, _slow, _warned):
            known.clear()


class _Instead:
    """The definition where kernels failed: compiled by PyTorch, or as it is where that fails too."""

    compiled: Callable[[Inputs, Sequence[Column]], Tensor] | None = None
    works = True

    def __call__(self, inputs: Inputs, columns: Sequence[Column]) -> Tensor:
        if self.works:
            try:
                if self.compiled is None:
                    self.compiled = torch.compile(reference.totals, dynamic=True)
                return self.compiled(inputs, columns)
            except Exception as error:  # a compiler may be missing, or raise anything
                if is_shortage(error):
                    raise
                self.works = False
        return reference.totals(inputs, columns)


instead = _Instead()
