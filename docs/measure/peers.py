"""Tables of other libraries' constructors next to those of losskit, with the differences; rows come from the tests."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import losskit
from deviations import DEVIATIONS
from equalities import EQUALITIES, difference
from peers import multiclass, one_hot, value_and_gradient
from recipes import RECIPES
from recipes import difference as of_recipe

# Losses of PyTorch that have the same name and options in losskit.
SAME = [
    "MSELoss()",
    "L1Loss()",
    "SmoothL1Loss(beta=0.5)",
    "HuberLoss(delta=2.0)",
    "PoissonNLLLoss()",
    "SoftMarginLoss()",
    "HingeEmbeddingLoss(margin=0.5)",
    "KLDivLoss(reduction='batchmean')",
]


def versions() -> str:
    """The versions of the libraries."""
    names = ["torch", "monai", "segmentation-models-pytorch", "torchvision", "timm", "kornia", "pytorch-toolbelt"]
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def equal(library: str) -> str:
    """A table of the constructors with the same value and gradient."""
    return _table([library, "losskit", "difference"], _equalities(library))


def _equalities(library: str) -> list[list[str]]:
    prefix = "nn." if library == "torch" else ""
    rows = [row for row in EQUALITIES if row.library == library]
    return [[f"`{prefix}{r.theirs}`", f"`{r.ours}`", _small(difference(r), r.where)] for r in rows]


def torch_table() -> str:
    """A table of PyTorch's constructors: those with the same name in losskit, then those with another."""
    make = torch.Generator().manual_seed(0)
    input = torch.randn(6, 5, generator=make, dtype=torch.float64)
    rows = []
    for text in SAME:
        target = torch.rand(6, 5, generator=make, dtype=torch.float64) + 0.1
        target = target.round() * 2 - 1 if "Margin" in text or "Hinge" in text else target
        ours, theirs = (eval(text, dict(vars(module))) for module in (losskit, nn))
        given = input.log_softmax(1) if text.startswith(("NLL", "KLDiv")) else input
        rows.append([f"`nn.{text}`", f"`{text}`", _small(_difference(ours, theirs, given, target))])
    return _table(["torch", "losskit", "difference"], [*rows, *_equalities("torch")])


def different(library: str) -> str:
    """A table of intentional differences, with both numbers on the same data."""
    rows = []
    for row in DEVIATIONS:
        if row.library == library:
            values = row.values()
            alike = len({_number(value, 6) for value in values}) == 1
            said = [_number(value, 9 if alike else 6) for value in values]
            rows.append([row.loss, _with_value(row.theirs, said[0]), _with_value(row.ours, said[1])])
    return _table(["loss", library, "losskit"], rows)


def recipes() -> str:
    """A table of losses that are a call or a formula in losskit."""
    rows = [[recipe.what, recipe.text, _small(of_recipe(recipe))] for recipe in RECIPES]
    return _table(["loss", "losskit", "difference"], rows)


def nnunet(x: Tensor, y: Tensor, *, batch_dice: bool, smooth: float = 1e-5) -> Tensor:
    """nnU-Net's Dice and cross-entropy, from its source: cross-entropy minus the mean soft Dice score."""
    p, t = x.softmax(1), one_hot(y, x.shape[1])
    axes = [0, 2, 3] if batch_dice else [2, 3]
    intersection, predicted, true = (p * t).sum(axes), p.sum(axes), t.sum(axes)
    score = (2 * intersection + smooth) / (predicted + true + smooth).clamp_min(1e-8)
    return F.cross_entropy(x, y) - score[..., 1:].mean()


def nnunet_table() -> str:
    """nnU-Net's loss plus one, next to that of losskit."""
    rows = []
    x, y = multiclass()
    for batch_dice, pool in ((True, ", pool='batch'"), (False, "")):
        ours = f"DiceCELoss(include_background=False, smooth=1e-5, absent='formula'{pool})"
        found = _difference(
            eval(ours, dict(vars(losskit))), lambda x, y, b=batch_dice: nnunet(x, y, batch_dice=b) + 1, x, y
        )
        rows.append([f"`DC_and_CE_loss`, `batch_dice={batch_dice}`, plus 1", f"`{ours}`", _small(found)])
    return _table(["nnU-Net", "losskit", "difference"], rows)


def _difference(ours: Callable[..., Any], theirs: Callable[..., Any], input: Tensor, target: Tensor) -> float:
    """The largest relative difference of value or gradient."""
    pairs = zip(value_and_gradient(ours, input, target), value_and_gradient(theirs, input, target), strict=True)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def _small(found: float, where: str = "") -> str:
    """A difference due to rounding, of float32 if the other loss computes in float32."""
    if not found < 1e-5:
        raise AssertionError(f"{found} is too large to be rounding")
    said = f"{found:.0e}" if found else "0"
    return f"{said}, if {where}" if where else said


def _number(value: Any, digits: int) -> str:
    return value if isinstance(value, str) else f"{float(value):.{digits}g}"


def _with_value(text: str, said: str) -> str:
    return text if said.lower() in text.lower() else f"{text}: {said}"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    if not rows:
        raise AssertionError("a table without rows")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)
