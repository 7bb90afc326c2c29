"""Validates the Triton kernels on a device: each form is compared with the reference at its first use.

A form is what a kernel is specialized for. If it raises, exceeds the compilation time limit or differs from the
reference, plain PyTorch replaces it from then on. No comparison runs during compilation, transforms or graph capture.
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

from losskit.ops import comparison, processes, reference, trusted
from losskit.ops.columns import Column, KernelColumns
from losskit.ops.comparison import Definition
from losskit.ops.formula import Program
from losskit.ops.inputs import Inputs, can_hold

LIMIT = 120.0  # seconds allowed for the first compilation of a form
NOT_COMPARED = (
    "its kernels have not been compared with plain PyTorch yet, which this call does not allow: call it in eager mode"
)
NOTHING_TO_COMPARE = (
    "its kernels have not been compared with plain PyTorch yet: a slice of this input had nothing finite to compare"
)
REPORT = "https://github.com/losskit/losskit/issues"


class Verdict(NamedTuple):
    """Whether the kernels can be used, and what was compared."""

    problem: str = ""  # why they cannot be used
    note: str = ""  # what was compared

    @property
    def failed(self) -> bool:
        """Whether the kernels were tried and failed."""
        return self.problem not in ("", NOT_COMPARED, NOTHING_TO_COMPARE)


Form = tuple[Any, ...]
_verdicts: dict[Form, Verdict] = {}  # by form and tile
_serves: dict[Form, bool] = {}  # by form, for code that cannot read sizes: whether every compared tile passed
_tries: dict[Form, int] = {}  # attempts with nothing to compare
_slow: set[torch.device] = set()  # devices on which a compilation timed out; none is started there again
_warned: set[torch.device] = set()
_trusted: dict[torch.device, bool] = {}  # devices that have passed, once eager code has used them
_lock = threading.RLock()


def form_of(
    tensors: Sequence[Tensor | None], link: str, ignore_index: int, planned: KernelColumns,
    programs: Sequence[Program | None] = (), *, pooled: bool,
) -> Form:  # fmt: skip
    """What kernels are specialized for, besides sizes."""
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
    """The form of a term: see `kernels.maths`."""
    return log != 0, gamma if gamma in (0, 1, 2) else -1, rest != 0, q == 1


def _name_of_terms(constants: tuple[float, ...], programs: tuple[Program | None, ...]) -> str:
    """The unique name of the printed function of these terms; raises Untraceable if it cannot be printed."""
    from losskit.ops.triton import terms  # imports Triton, an optional dependency

    return terms.printed(constants, programs).name


def form_and_tile(
    inputs: Inputs, planned: KernelColumns, programs: Sequence[Program | None] = (), *, pooled: bool
) -> Form:
    """The form of a call, and the sizes that determine its tile."""
    form = form_of(inputs.tensors, inputs.link, inputs.ignore_index, planned, programs, pooled=pooled)
    return *form, tile_of(inputs)


def verdict(
    inputs: Inputs, planned: KernelColumns, programs: Sequence[Program | None] = (),
    defined: Definition | None = None, *, pooled: bool,
) -> Verdict:  # fmt: skip
    """Whether the kernels can compute this call, after a comparison if it is the first of its form.

    `defined` computes the totals in plain PyTorch where `planned` does not describe all of them.
    """
    form = form_of(inputs.tensors, inputs.link, inputs.ignore_index, planned, programs, pooled=pooled)
    return decided(
        form, inputs, lambda part: _compare(part, planned, programs, defined, pooled=pooled), generated=any(programs)
    )


def decided(form: Form, inputs: Inputs, compare: Callable[[Inputs], str], *, generated: bool = False) -> Verdict:
    """Whether the kernels of a form can compute this call, after a comparison if it is the first.

    `compare` returns the problem with the kernels on a slice of the input, NOTHING_TO_COMPARE, or an empty string.
    Devices that have passed are trusted, except with functions that are generated from user-defined formulas.
    """
    if not inputs.is_plain:
        serves = _serves.get(form, None if generated else _trusted.get(form[0]))
        return Verdict() if serves else Verdict(NOT_COMPARED if serves is None else "its kernels failed")
    with _lock:
        device = inputs.input.device
        if not generated and _is_trusted(device) and _serves.get(form, True):
            return Verdict(note=trusted.rule(device))
        whole = *form, tile_of(inputs)
        known = _known(whole, inputs.owner)
        if known is not None:
            return known
        if is_capturing(inputs.input):
            return Verdict(NOT_COMPARED)
        tries = _tries[whole] = _tries.get(whole, 0) + 1
        if tries & (tries - 1):  # retry only at the first, second, fourth, eighth ... call
            return Verdict(NOTHING_TO_COMPARE)
        found = _compared(inputs, compare)
        if found.problem == NOTHING_TO_COMPARE:
            return found
        _keep(whole, found)
        if found.problem:
            processes.publish(whole)
            _warn(inputs.owner, device, found.problem)
        return found


def _is_trusted(device: torch.device) -> bool:
    """Whether the device has passed, and no kernel has failed elsewhere; also cached for code that reads no file."""
    if trusted.is_trusted(device) and not processes.failed:
        _trusted[device] = True
    else:
        _trusted.pop(device, None)
    return device in _trusted


def _known(whole: Form, owner: str) -> Verdict | None:
    """What is known of a form without a comparison, here or in other processes."""
    known = _verdicts.get(whole)
    processes.read(now=known is None)
    if processes.failed and (known is None or not known.problem) and processes.name_of(whole) in processes.failed:
        known = Verdict(processes.FAILED_ELSEWHERE)
        _keep(whole, known)
        _warn(owner, whole[0], known.problem)
    if known is None and whole[0] in _slow:
        return Verdict(_took_too_long(whole[0]))
    return known


def _keep(whole: Form, found: Verdict) -> None:
    _verdicts[whole] = found
    form = whole[:-1]
    _serves[form] = not found.problem and _serves.get(form, True)


def failed(whole: Form, owner: str, error: Exception) -> None:
    """Disable the kernels of a call that raised."""
    problem = said(error)
    with _lock:
        _keep(whole, Verdict(problem))
        processes.publish(whole)
        _warn(owner, whole[0], problem)


def compiled_kernels(
    inputs: Inputs, planned: KernelColumns, programs: Sequence[Program | None] = (), *, pooled: bool
) -> Callable[..., Any]:
    """Compile the kernels of a call and return their launcher; raises TimeoutError past the limit."""
    from losskit.ops import triton  # imports Triton only when a kernel is requested

    ignored = inputs.ignore_index if can_hold(inputs.target, inputs.ignore_index) else None
    given = (*inputs.tensors, inputs.link, ignored, *planned)
    within_limit(lambda: triton.compile_kernels(*given, pooled=pooled, programs=programs))
    return partial(triton.run, programs=programs) if any(programs) else triton.run


def _compare(
    part: Inputs, planned: KernelColumns, programs: Sequence[Program | None], defined: Definition | None, *,
    pooled: bool,
) -> str:  # fmt: skip
    kernels = compiled_kernels(part, planned, programs, pooled=pooled)
    outcome = comparison.compare(kernels, part, planned, defined, pooled=pooled)
    return outcome.problem if outcome.is_conclusive else NOTHING_TO_COMPARE


def _compared(inputs: Inputs, compare: Callable[[Inputs], str]) -> Verdict:
    device, start = inputs.input.device, time.perf_counter()
    part = comparison.slice_of(inputs)
    problem = _tried(device, lambda: compare(part))
    took, count = 1000 * (time.perf_counter() - start), part.input.numel()
    note = f"compared with plain PyTorch on {name_of(device)}: {count} elements, once, in {took:.0f} ms"
    return Verdict(problem, "" if problem else note)


def _tried(device: torch.device, compare: Callable[[], str]) -> str:
    """The problem that a comparison reports, or the error that it raises."""
    try:
        return compare()
    except TimeoutError as error:
        _slow.add(device)
        return str(error)
    except Exception as error:  # whatever a compiler or a driver raises
        if is_shortage(error):
            raise
        return said(error)


def prove(key: Form, owner: str, compare: Callable[[], str], *, user_defined: bool) -> str:
    """The problem with a loss-specific kernel, compared once per device; an empty string if there is none."""
    device = key[0]
    if not user_defined and _is_trusted(device):
        return ""
    with _lock:
        known = _known(key, owner)
        if known is not None:
            return known.problem
        problem = _tried(device, compare)
        if problem != NOTHING_TO_COMPARE:
            _verdicts[key] = Verdict(problem)
            if problem:
                processes.publish(key)
                _warn(owner, device, problem)
        return problem


def _took_too_long(device: torch.device) -> str:
    return f"compiling a kernel took longer than {LIMIT:g} s on {device}"


def within_limit(work: Callable[[], None]) -> None:
    """Run the work in a thread; raise TimeoutError past the limit, and leave the thread running."""
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


def tile_of(inputs: Inputs) -> tuple[int, ...]:
    """The sizes that determine the kernel and its tile, rounded up to a power of two."""
    shape = inputs.input.shape
    positions = shape[0] if len(shape) == 2 else shape[2:].numel()
    nearest = inputs.input.stride(1) == 1 and shape[1] > 1  # classes are adjacent in memory
    return (shape[1] - 1).bit_length(), min((positions - 1).bit_length(), 13), nearest


def is_capturing(tensor: Tensor) -> bool:
    return tensor.is_cuda and torch.cuda.is_current_stream_capturing()


def is_shortage(error: Exception) -> bool:
    """Whether the error is an out-of-memory error, which is no fault of a kernel."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError))


def said(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"a launch of its kernels raised {type(error).__name__}: {lines[0][:200]}"


def name_of(device: torch.device) -> str:
    """A device with its product name and backend."""
    if device.type != "cuda":
        return str(device)
    maker = "ROCm" if torch.version.hip else "CUDA"
    return f"{device} ({torch.cuda.get_device_name(device)}, {maker})"


def _warn(owner: str, device: torch.device, problem: str) -> None:
    if device in _warned:
        return
    _warned.add(device)
    warnings.warn(
        f"losskit: the Triton kernels of {owner} are disabled on {name_of(device)}: {problem}. Falling back to plain "
        "PyTorch: the same values, but slower. Please report this with the output of `losskit doctor` at "
        f"{REPORT}. LOSSKIT_BACKEND=triton uses the kernels anyway; LOSSKIT_BACKEND=reference never tries them.",
        RuntimeWarning,
        stacklevel=2,
    )


def forget() -> None:
    """Clear all verdicts, so that every form is compared again."""
    with _lock:
        for known in (_verdicts, _serves, _tries, _slow, _warned, _trusted):
            known.clear()
        processes.forget()


class _Instead:
    """The reference where kernels failed: compiled by PyTorch, or eager if compilation fails."""

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
