"""Values of options as text: Python literals, and what PyTorch has, `torch.nn.Softmax(dim=1)` or `F.relu`."""

from __future__ import annotations

import ast
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losskit.checker.repro import literal

_ROOTS = {"torch": torch, "nn": nn, "F": F}


def value_of(text: str) -> Any:
    """The value of a text: a literal, an attribute of PyTorch, a call of one with literals, otherwise the text."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
        return _evaluated(node)
    except (ValueError, SyntaxError, AttributeError, TypeError, RuntimeError):
        return text


def code_of(value: Any) -> str:
    """Code that makes the value of an option; PyTorch is imported as `torch`."""
    if isinstance(value, Tensor):
        return literal(value)
    if isinstance(value, nn.Module) and type(value).__module__.startswith("torch.nn"):
        return f"torch.nn.{value!r}"
    name = getattr(value, "__name__", "")
    for place, root in (("torch", torch), ("torch.nn.functional", F), ("torch.nn", nn)):
        if callable(value) and name and getattr(root, name, None) is value:
            return f"{place}.{name}"
    return repr(value)


def _evaluated(node: ast.expr) -> Any:
    if isinstance(node, (ast.Attribute, ast.Name)):
        return _attribute(node)
    if isinstance(node, ast.Call):
        arguments = [_evaluated(each) for each in node.args]
        return _attribute(node.func)(
            *arguments, **{each.arg: _evaluated(each.value) for each in node.keywords if each.arg}
        )
    return ast.literal_eval(node)


def _attribute(node: ast.expr) -> Any:
    """torch.sigmoid, nn.Softmax, F.relu; raises ValueError for anything else."""
    if isinstance(node, ast.Name) and node.id in _ROOTS:
        return _ROOTS[node.id]
    if isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
        return getattr(_attribute(node.value), node.attr)
    raise ValueError(ast.unparse(node))
