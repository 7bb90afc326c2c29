"""Chooses the operator that computes a pass over the input, and records why the others cannot."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from losskit.ops import first_use, native
from losskit.ops.columns import KernelColumns
from losskit.ops.formula import Program
from losskit.ops.inputs import Inputs

Operator = Literal["native", "triton", "reference"]
FUSED: tuple[Operator, ...] = ("native", "triton")
OPERATORS: tuple[Operator, ...] = (*FUSED, "reference")
CLOSED_FORM = "closed form"
NO_DIFFERENCES = "Triton computes differences only as part of a whole loss"
OWN_FORMULA = "a term is a user-defined formula"
NOT_BUILT = "the C kernels were not built when losskit was installed"
READ = frozenset(native.TYPES)  # the dtypes of targets, weights and masks that the kernels read


@dataclass(frozen=True)
class PassRecord:
    """One pass over the input: the operator that computed it, and why the others could not."""

    operator: str
    owner: str  # the loss; of several, the first
    sums: int  # number of sums per class
    refused: dict[str, str]  # operator: reason
    gradient_in_forward: bool = False  # whether the backward pass does not read the input again
    operations: tuple[int, ...] = ()  # number of operations of each formula evaluated inside the pass
    plain: str = ""  # why the formula on the sums runs as plain PyTorch
    note: str = ""  # preprocessing of the tensors, or the comparison of the kernels

    def __str__(self) -> str:
        if self.operator == CLOSED_FORM:
            gradient = ", gradient in the forward pass" if self.gradient_in_forward else ""
            return f"{self.operator} for {self.owner}: PyTorch operators without a graph{gradient}"
        reasons = "".join(f"\n    not {name}: {reason}" for name, reason in self.refused.items())
        gradient = ", gradient in the same pass" if self.gradient_in_forward else ""
        tapes = "".join(f", tape of {count} operations, in the pass" for count in self.operations)
        plain = f"\n    not in the pass: its formula on the sums, {self.plain}" if self.plain else ""
        note = f"\n    {self.note}" if self.note else ""
        return f"{self.operator} for {self.owner}: {self.sums} sums per class{tapes}{gradient}{reasons}{plain}{note}"


refused_formula = ""  # why the formula of the last recorded call could not be compiled to a program
_forced: str = os.environ.get("LOSSKIT_BACKEND", "")
_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # Triton then runs on the CPU too
_recorded: list[PassRecord] | None = None
_recording = threading.RLock()  # one thread records at a time
_recorder = 0  # the id of that thread
_note = ""
if _forced and _forced not in OPERATORS:
    raise ValueError(f"LOSSKIT_BACKEND is {_forced!r}; it must be one of the operators {', '.join(OPERATORS)}.")


@contextmanager
def forced(operator: str) -> Iterator[None]:
    """Use one operator, or raise the reason why it cannot be used."""
    global _forced
    before, _forced = _forced, operator
    try:
        yield
    finally:
        _forced = before


def is_forced() -> bool:
    """Whether LOSSKIT_BACKEND or `forced` selects one operator."""
    return bool(_forced)


def is_recorded() -> bool:
    """Whether the passes of this thread are being recorded. Compiled code cannot tell threads apart."""
    return _recorded is not None and (torch.compiler.is_compiling() or threading.get_ident() == _recorder)


def begins_recorded() -> bool:
    """Whether the passes of a new call are recorded; clears the refusal of the previous call."""
    if _recorded is None or not is_recorded():
        return False
    refuse_formula("")
    return True


def refuse_formula(reason: str) -> None:
    """Record why the formula of this call could not be compiled to a program."""
    global refused_formula
    if is_recorded():
        refused_formula = reason


def record_closed_form(owner: str, *, derive: bool) -> None:
    """Record that the closed form of a loss computed the call, in PyTorch operators."""
    if _recorded is not None and is_recorded():
        _recorded.append(PassRecord(CLOSED_FORM, owner, 0, {}, derive))


@contextmanager
def recorded() -> Iterator[list[PassRecord]]:
    """Record the passes of this thread inside the context, as a list."""
    global _recorded, _recorder, refused_formula
    with _recording:
        before, _recorded, _recorder, refused_formula = _recorded, [], threading.get_ident(), ""
        try:
            yield _recorded
        finally:
            _recorded = before


@contextmanager
def noting(note: str) -> Iterator[None]:
    """Attach a note to the passes recorded inside the context."""
    global _note
    if not is_recorded():
        yield
        return
    before, _note = _note, note or _note
    try:
        yield
    finally:
        _note = before


def serving(inputs: Inputs, planned: KernelColumns | None, sums: int, *, pooled: bool) -> tuple[Operator, bool]:
    """The operator for these sums, with the reference as the fallback; and whether the kernels failed."""
    named = bool(_forced) or is_recorded()
    alone: Operator = "native" if inputs.input.device.type == "cpu" else "triton"
    reasons = {name: refusal(name, inputs, planned) for name in (FUSED if named or _INTERPRETED else (alone,))}
    tried = first_use.Verdict()
    if _first(reasons) == "triton" and not _forced:
        assert planned is not None
        tried = first_use.verdict(inputs, planned, pooled=pooled)
        reasons["triton"] = tried.problem
    if not named:
        return _first(reasons), tried.failed
    with noting(tried.note):
        return choose(inputs.owner, sums, reasons), tried.failed


def _first(reasons: dict[Operator, str]) -> Operator:
    """The first operator that nothing rules out."""
    for name, reason in reasons.items():
        if not reason:
            return name
    return "reference"


def choose(
    owner: str, sums: int, reasons: dict[Operator, str], *, gradient_in_forward: bool = False,
    operations: Sequence[int] = (),
) -> Operator:  # fmt: skip
    """The first operator that nothing rules out, recorded with the reasons that rule out the others."""
    chosen = _first(reasons)
    if _forced:
        forced_ = next(name for name in OPERATORS if name == _forced)
        if reasons.get(forced_):
            raise RuntimeError(
                f"{owner}: LOSSKIT_BACKEND={forced_}, which does not support this call: {reasons[forced_]}."
            )
        chosen = forced_ if forced_ in reasons else "reference"
    if _recorded is not None and is_recorded():
        refused = {str(name): reason for name, reason in reasons.items() if reason}
        if chosen == "reference" and not all(reasons.values()):
            refused.update({name: "LOSSKIT_BACKEND=reference" for name in reasons if not reasons[name]})
        in_forward = gradient_in_forward and chosen != "reference"
        plain = refused_formula if chosen != "reference" else ""  # otherwise it is among the reasons
        _recorded.append(PassRecord(chosen, owner, sums, refused, in_forward, tuple(operations), plain, _note))
    return chosen


def refusal(
    operator: Operator, inputs: Inputs, planned: KernelColumns | None, programs: Sequence[Program | None] = ()
) -> str:
    """Why a fused operator cannot compute these sums, or an empty string."""
    tensors = {"input": inputs.input, "target": inputs.target, "weight": inputs.weight, "logit_bias": inputs.logit_bias}
    tensors["mask"] = inputs.mask
    formula = inputs.link == "difference" and any(programs)
    if operator == "triton" and inputs.link == "difference" and not formula:
        return NO_DIFFERENCES
    exact = operator == "native" and formula and not any(program is not None and program.single for program in programs)
    dtypes = (*native.INPUTS, torch.float64) if exact else native.INPUTS
    reason = unavailable(operator, inputs.input) or unfit(tensors, dtypes)
    if reason:
        return reason
    if not inputs.from_logits:
        return "the input holds probabilities (from_logits=False)"
    if inputs.link not in native.LINKS:
        return "the input holds log-probabilities"
    if operator == "native" and inputs.link == "sigmoid" and inputs.holds_indices:
        return "the target holds class indices of independent classes (one versus rest)"
    if planned is None:
        return f"{OWN_FORMULA}: {refused_formula}" if refused_formula else OWN_FORMULA
    if len(planned[1]) > 4 * native.MOST_TERMS:
        return f"more than {native.MOST_TERMS} different terms"
    return ""


def refuse_tracing() -> bool:
    """Raise under torch.jit.trace, which would record the result of a C call as a constant; else return False."""
    if torch._C._get_tracing_state() is None or _forced == "reference":
        return False
    raise RuntimeError(
        "losskit: torch.jit.trace does not see the C kernels and would record their result as a constant. Use "
        "torch.export.export, or LOSSKIT_BACKEND=reference."
    )


def serving_here() -> dict[str, str]:
    """A description of the operators used on the CPU and on the GPU of this machine."""
    from losskit.ops import triton

    forced = f", since LOSSKIT_BACKEND={_forced}" if _forced else ""
    kernels = f"native (C kernels, {native.level()})" if native.AVAILABLE else f"reference (plain PyTorch), {NOT_BUILT}"
    reason = triton.missing()
    gpu = f"reference (plain PyTorch), {reason}" if reason else f"triton (Triton {triton.version()})"
    found = {"CPU": kernels, "GPU": gpu if torch.cuda.is_available() else f"{gpu}; PyTorch sees no GPU"}
    return {device: f"{_forced}{forced}" if _forced else operator for device, operator in found.items()}


def unavailable(operator: Operator, input: Tensor) -> str:
    """Why a fused operator cannot run on this device, or an empty string."""
    if operator == "native":
        if input.device.type != "cpu":
            return f"the input is on {input.device.type}"
        refuse_tracing()
        if not (native.AVAILABLE or _forced or torch.compiler.is_compiling()):
            native.warn_missing()
        return "" if native.AVAILABLE else NOT_BUILT
    from losskit.ops import triton

    return triton.unavailable(input)


def unfit(tensors: dict[str, Tensor | None], dtypes: Sequence[torch.dtype] = native.INPUTS) -> str:
    """Why no fused operator supports these tensors, or an empty string. The first is the input."""
    input = next(iter(tensors.values()))
    assert input is not None
    if input.dtype not in dtypes:
        return f"the input is {_name(input)}"
    if not input.numel():
        return "the input is empty"
    device = input.device
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if name != "input" and tensor.requires_grad:
            return f"{name} requires a gradient"
        if type(tensor) is not Tensor and is_traceable_wrapper_subclass(tensor):
            return f"{name} is a {type(tensor).__name__}"
        if tensor.dtype not in READ:
            return f"{name} is {_name(tensor)}"
        # Kernels read raw memory, which must hold the actual values on the device of the kernel.
        if tensor.device != device:
            return f"{name} is on {tensor.device}, the input on {device}"
        if tensor.layout is not torch.strided:
            return f"{name} is {str(tensor.layout).removeprefix('torch.')}"
        if not torch.compiler.is_compiling() and tensor.is_neg():  # compiled code copies such a tensor first
            return f"{name} has its negative bit set"
    if torch.autograd.forward_ad._current_level >= 0:
        return "forward-mode differentiation"
    return ""


def _name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
