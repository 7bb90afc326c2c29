"""The code of a call with the tensors of a formula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from losskit.checker.references.binding import Bound
from losskit.checker.repro import literal, script


def call_text(bound: Bound, tensors: Mapping[str, Any]) -> str:
    """Code that prints the loss for these tensors."""
    origin = bound.subject.origin
    made = {bound.names[role]: _written(each) for role, each in tensors.items()}
    call = f"print(criterion({bound.call_code(tensors)}))"
    construction = origin.construction(**bound.changed)
    functions = "import functools\n" if "functools." in construction else ""
    return script(f"{functions}import torch\n{origin.imports}", construction, made, (call,))


def _written(x: Any) -> str:
    if isinstance(x, (list, tuple)):
        return f"[{', '.join(map(_written, x))}]"
    return literal(x) if isinstance(x, Tensor) else repr(x)
