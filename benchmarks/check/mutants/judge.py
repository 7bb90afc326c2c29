"""Judges mutants: whether an edit makes a fault, an equal loss, or only another convention."""

from __future__ import annotations

import ast
import inspect
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from check.mutants import labels, numbers
from check.mutants.calls import calls_of
from check.mutants.edits import Edit, edits

FAULT = "fault"
_IMPORTS = "import math\n\nimport torch\nimport torch.nn.functional as F\n\n\n"
_GIVEN = ("target", "levels", "teacher", "mask")  # arguments whose gradient nobody uses
_CLOSE = 1e-5

Result = tuple[float, list[Tensor]]


def originals() -> dict[str, ast.FunctionDef]:
    """The plain losses by name."""
    found = {}
    for module in (labels, numbers):
        tree = ast.parse(Path(module.__file__).read_text())  # type: ignore[arg-type]
        found.update({node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)})
    return found


def code_of(function: ast.FunctionDef) -> str:
    """A file with one function."""
    return f"{_IMPORTS}{ast.unparse(function)}\n"


def made(function: ast.FunctionDef) -> Callable[..., Tensor]:
    """The function itself."""
    space: dict[str, Any] = {"math": math, "torch": torch, "F": F}
    exec(compile(ast.Module([function], []), "<mutant>", "exec"), space)  # our own code
    return space[function.name]  # type: ignore[no-any-return]


def mutants() -> Iterator[tuple[str, Edit, str]]:
    """Every mutant of every loss: the name of the loss, the edit, and the judgement."""
    for name, function in originals().items():
        plain = made(function)
        seen = set()
        for edit in edits(function):
            code = code_of(edit.function)
            if code not in seen:
                seen.add(code)
                yield name, edit, judged(name, plain, made(edit.function))


def judged(name: str, plain: Callable[..., Tensor], mutant: Callable[..., Tensor]) -> str:
    """FAULT, or why an edit makes none."""
    ratios: dict[tuple[int, int], list[float]] = {}
    equal = True
    for at, (call, options) in enumerate(itertools.product(calls_of(name), _options(plain))):
        try:
            before = _result(plain, call, options)
        except (IndexError, RuntimeError):  # an ignored label that another option does not ignore
            continue
        if before is None:
            continue
        try:
            after = _result(mutant, call, options)
        except Exception:  # noqa: BLE001 - whatever it raises, a user sees it at once
            return "it does not run"
        if after is None:
            return FAULT
        equal = equal and _same(before, after)
        ratio = _ratio(before[1], after[1])
        if ratio is None:
            return FAULT
        if math.isfinite(ratio):
            ratios.setdefault((len(call[0]), at % len(_options(plain))), []).append(ratio)
    if equal:
        return "it is equal"
    steady = all(max(each) - min(each) < _CLOSE * max(each) for each in ratios.values())
    return "its gradient is the same up to a factor" if steady and ratios else FAULT


def _options(function: Callable[..., Any]) -> list[dict[str, Any]]:
    """The defaults, and each number changed."""
    found: list[dict[str, Any]] = [{}]
    for name, each in inspect.signature(function).parameters.items():
        if isinstance(each.default, float) and each.default > 1e-2:
            found.append({name: 0.5 * each.default + 0.1})
        elif isinstance(each.default, int) and each.default in (0, -100):
            found.append({name: 1})
    return found


def _result(function: Callable[..., Tensor], call: tuple[Tensor, ...], options: dict[str, Any]) -> Result | None:
    """The value and the gradients that train a model; None if they are not finite, or tensors of the caller changed."""
    names = list(inspect.signature(function).parameters)
    tensors = [each.clone() for each in call]
    learned = [
        each.requires_grad_()
        for name, each in zip(names, tensors, strict=False)
        if each.is_floating_point() and name not in _GIVEN
    ]
    given = [each.clone() if each.requires_grad else each for each in tensors]
    value = function(*given, **options)
    if any(not torch.equal(a.detach(), b) for a, b in zip(given, call, strict=True)):
        return None
    if value.dim():
        raise TypeError("it returns no number")
    zeros = [torch.zeros_like(each) for each in learned]
    if value.requires_grad:
        slopes = torch.autograd.grad(value, learned, allow_unused=True)
        zeros = [zero if slope is None else slope for zero, slope in zip(zeros, slopes, strict=True)]
    finite = value.isfinite() and all(bool(each.isfinite().all()) for each in zeros)
    return (float(value.detach()), zeros) if finite else None


def _same(one: Result, other: Result) -> bool:
    near = abs(one[0] - other[0]) <= _CLOSE * max(1, abs(one[0]))
    return near and all(torch.allclose(a, b, _CLOSE, _CLOSE) for a, b in zip(one[1], other[1], strict=True))


def _ratio(before: list[Tensor], after: list[Tensor]) -> float | None:
    """The factor between two gradients: NaN if both are 0, None if there is none."""
    a, b = (torch.cat([each.flatten() for each in made]) for made in (before, after))
    if not bool(a.any()):
        return None if bool(b.abs().max() > _CLOSE) else math.nan
    factor = float(a @ b / (a @ a))
    off = float((b - factor * a).norm() / a.norm())
    return factor if factor > 0 and off < 1e-4 * factor else None
