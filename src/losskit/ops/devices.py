"""Compares every form of the kernels on a device with plain PyTorch, for `losskit doctor`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from losskit.ops import choice, comparison, device_forms, first_use, native, ranks
from losskit.ops.choice import Operator as Operator
from losskit.ops.columns import kernel_columns, programs_of
from losskit.ops.device_forms import RANKS, Form


class Finding(NamedTuple):
    """The result of one form on a device."""

    form: Form
    milliseconds: float
    problem: str  # empty if it agrees with plain PyTorch


def devices() -> list[torch.device]:
    """Every device that PyTorch can use."""
    found = [torch.device("cpu")]
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if accelerator is not None:
        found += [torch.device(accelerator.type, index) for index in range(torch.accelerator.device_count())]
    return found


def served_by(device: torch.device) -> tuple[list[Operator], dict[str, str]]:
    """The fused operators that can run on a device, and why the others cannot."""
    sample = torch.empty(1, device=device)
    refused = {name: choice.unavailable(name, sample) for name in choice.FUSED}
    return [name for name in choice.FUSED if not refused[name]], {k: why for k, why in refused.items() if why}


def check(operator: Operator, device: torch.device, chosen: Sequence[Form] | None = None) -> Iterator[Finding]:
    """Check each form that the operator supports once; stop after a compilation timeout."""
    for form in device_forms.every() if chosen is None else chosen:
        start = time.perf_counter()
        try:
            problem = _problem(operator, form, device)
        except TimeoutError as error:
            yield Finding(form, 1000 * (time.perf_counter() - start), str(error))
            return
        except Exception as error:  # noqa: BLE001 - whatever a compiler or a driver raises
            problem = first_use.said(error)
        if problem is not None:
            yield Finding(form, 1000 * (time.perf_counter() - start), problem)


def _problem(operator: Operator, form: Form, device: torch.device) -> str | None:
    """The difference of a form from plain PyTorch; None if the operator does not support it here."""
    inputs, columns = device_forms.inputs_of(form, device), device_forms.columns_of(form)
    if form.columns == RANKS:
        return None if operator == "native" else ranks.compared(inputs, pooled=form.is_pooled)
    planned, programs = kernel_columns(columns), programs_of(columns)
    assert planned is not None
    if choice.refusal(operator, inputs, planned, programs) or (operator == "native" and any(programs)):
        return None  # C computes programs only as part of a whole loss
    run = native.run
    if operator == "triton":
        run = first_use.compiled_kernels(inputs, planned, programs, pooled=form.is_pooled)
    defined = device_forms.definition_of(form)
    outcome = comparison.compare(run, inputs, planned, defined, pooled=form.is_pooled)
    return outcome.problem if outcome.is_conclusive else first_use.NOTHING_TO_COMPARE
