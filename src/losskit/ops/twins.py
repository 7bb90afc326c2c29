"""Copies of a loss with other values of its attributes, for a pass after these have changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def with_attributes(loss: Any, values: Mapping[str, Any]) -> Any:
    """A copy of a loss that has these attributes."""
    twin = object.__new__(type(loss))
    twin.__dict__.update(loss.__dict__, **values)
    return twin


def equal(a: Tensor | None, b: Tensor | None) -> bool:
    """Whether two options have the same values, as C reads them."""
    if a is None or b is None:
        return a is b
    return a is b or torch.equal(a.to(b), b)


def holding(module: Any, tensors: dict[int, Any]) -> Any:
    """A copy of a loss, or of its parts, with the tensors of these ids replaced."""
    twin = object.__new__(type(module))
    twin.__dict__.update({name: tensors.get(id(value), value) for name, value in vars(module).items()})
    for kind in ("_buffers", "_parameters"):
        twin.__dict__[kind] = {name: tensors.get(id(value), value) for name, value in vars(module)[kind].items()}
    held = module.planned_parts() if getattr(module, "is_sum", False) else ()
    if held:
        twin.__dict__["_modules"] = {**module._modules, "losses": nn.ModuleList(holding(m, tensors) for m in held)}
    return twin
