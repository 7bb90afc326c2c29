"""Curves of losses: value and gradient against the logit, the error, or the overlap of an object and its prediction.

This module computes the numbers; `losskit.figures.plots` draws them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from losskit.core import catalogue
from losskit.core.algebra import leaves
from losskit.core.domains import nearest
from losskit.core.labels import ClassificationLoss
from losskit.core.loss import Loss
from losskit.core.means import MeanLoss, RegressionLoss
from losskit.core.operands import Wrapped, as_loss
from losskit.losses.masks import MaskLoss
from losskit.losses.spatial import SpatialLoss
from losskit.losses.structure import ActiveBoundaryLoss

Criterion = nn.Module | Callable[..., Any]
Call = Callable[[Tensor], tuple[Tensor, ...]]  # from the tensor that varies, the tensors of a call


def _number(x: float) -> Tensor:
    return torch.tensor(x, dtype=torch.float64)


@dataclass(frozen=True)
class Curve:
    """A loss along one view; `opposite` if it is the view's second case."""

    over: str
    x: list[float]
    value: list[float]
    gradient: list[float]
    opposite: bool = False


@dataclass(frozen=True)
class View:
    """The x-axis of a plot, and how to call a loss along it."""

    title: str
    axis: str
    slope: str  # the label of the gradient
    points: list[float]
    calls: list[tuple[Call, ...]]  # ways to call a loss, the first that fits; a second call is the opposite case
    start: Callable[[float], Tensor] = _number  # from a point on the axis, the tensor that varies
    cases: tuple[str, str] = ("", "")


# An image with one object, 64 of 576 pixels: long, so that it can be shifted in small steps.
_WIDTH = 64
_ZERO, _ONE = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
_SURE = 4.0  # the logit of a confident pixel: a probability of 98 %


def _image(shift: int = 0) -> Tensor:
    image = torch.zeros(1, 1, 3, 3 * _WIDTH, dtype=torch.float64)
    image[:, :, 1, shift : shift + _WIDTH] = 1
    return image


def _shifted(overlap: float) -> Tensor:
    """Logits of a confident prediction that has this overlap (intersection over union) with the object."""
    return _SURE * (2 * _image(round(_WIDTH * (1 - overlap) / (1 + overlap))) - 1)


def _even(x: Tensor) -> Tensor:
    """Logits of x in favour of the target at every pixel."""
    return x * (2 * _image() - 1)


def _two(logits: Tensor) -> Tensor:
    """Two classes whose softmax is the sigmoid of these logits."""
    return torch.cat([torch.zeros_like(logits), logits], 1)


def _labels(logits: Callable[[Tensor], Tensor], target: Tensor) -> list[Call]:
    """Calls with logits (N, 1, *) and their target: binary, as two classes, as log-probabilities of two classes."""
    indices = target.squeeze(1).long()
    return [
        lambda x: (logits(x), target),
        lambda x: (_two(logits(x)), indices),
        lambda x: (_two(logits(x)).log_softmax(1), indices),
    ]


def _column(x: Tensor) -> Tensor:
    return x.view(1, 1)


def _element(value: float) -> Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


def _span(first: float, last: float) -> list[float]:
    return torch.linspace(first, last, 121, dtype=torch.float64).tolist()


_LOGITS = _span(-6, 6)
_SLOPE = "∂ loss / ∂ logit"
_LOGIT = View(
    "one element",
    "logit (log-odds of the positive class)",
    _SLOPE,
    _LOGITS,
    list(zip(_labels(_column, _element(1.0)), _labels(_column, _element(0.0)), strict=True)),
    cases=("positive target", "negative target"),
)
_CONFIDENCE = View(
    "an object on 1/9 of the image, every pixel correct by the same logit",
    "logit of the target at every pixel (log-odds)",
    _SLOPE,
    _LOGITS,
    [(call,) for call in _labels(_even, _image())],
)
_OVERLAP = View(
    f"the same object, predicted with logits of ±{_SURE:g} and shifted",
    "overlap with the true object (intersection over union)",
    "sum over pixels of |∂ loss / ∂ logit|",
    [(_WIDTH - s) / (_WIDTH + s) for s in range(_WIDTH + 1)],
    [(call,) for call in _labels(lambda x: x, _image())],
    start=_shifted,
)
_ERROR = View(
    "one element, target 1",
    "error, input − target (in the target's units)",
    "∂ loss / ∂ input",
    _span(-4, 4),
    [
        (lambda x: (1 + x.view(1), _ONE),),
        (lambda x: (1 + x.view(1), _ONE, _ONE),),  # with a variance
    ],
)


def _pair(axis: str, slope: str, first: float, last: float, *calls: Call, cases: tuple[str, str] = ("", "")) -> View:
    return View("one pair", axis, slope, _span(first, last), [calls], cases=cases)


def _turned(x: Tensor) -> Tensor:
    return torch.stack([torch.cos(torch.deg2rad(x)), torch.sin(torch.deg2rad(x))]).view(1, 2)


def _apart(distance: Tensor) -> Tensor:
    return torch.stack([distance, torch.zeros_like(distance)]).view(1, 2)


_GRADES = View(
    "two grades, one of them true", "logit of the higher grade", _SLOPE, _LOGITS,
    [(lambda x: (_column(x), torch.tensor([1])), lambda x: (_column(x), torch.tensor([0])))],
    cases=("target is the higher", "target is the lower"),
)  # fmt: skip


def _row(*numbers: float | Tensor) -> Tensor:
    return torch.stack([torch.as_tensor(n, dtype=torch.float64) for n in numbers])


def _truths(*labels: float) -> Tensor:
    return _row(*labels).unsqueeze(0)


_BOX = View(
    "a box of side 1, shifted along one side",
    "shift, in sides of the box",
    "∂ loss / ∂ shift",
    _span(-2, 2),
    [
        (lambda x: (_row(x, 0, x + 1, 1).unsqueeze(0), _row(0, 0, 1, 1).unsqueeze(0)),),
        (lambda x: (_row(x, 0, 1, 1, 0).unsqueeze(0), _row(0, 0, 1, 1, 0).unsqueeze(0)),),  # as a rotated one
    ],
)
_POSITIVE = View(
    "one element, target 1",
    "input, a positive number",
    "∂ loss / ∂ input",
    _span(0.05, 4),
    [(lambda x: (x.view(1), _ONE),)],
)
_LOG_MEAN = View(
    "one element, target 1",
    "input, the logarithm of the mean",
    "∂ loss / ∂ input",
    _span(-3, 3),
    [(lambda x: (x.view(1), _ONE),), (lambda x: (x.view(1), _ONE, _ONE),)],
)
_OF_THREE = View(
    "three samples with targets -1, 0 and 1, the first two predicted exactly",
    "prediction of the third",
    "∂ loss / ∂ prediction",
    _span(-3, 3),
    [(lambda x: (_row(-1, 0, x), _row(-1, 0, 1)),)],
)
_ON_AN_IMAGE = {"confidence": _CONFIDENCE, "overlap": _OVERLAP}
VIEWS = {"logit": _LOGIT, **_ON_AN_IMAGE, "error": _ERROR, "shift": _BOX}
_OF_IMAGES = (MaskLoss, SpatialLoss, ActiveBoundaryLoss)
_OF_NUMBERS = ("regression", "robust", "forecast", "likelihood", "pooled")
_OF_PAIRS = {
    "margin_ranking_loss": _pair(
        "input1 − input2, where input1 should be larger", "∂ loss / ∂ input1", -3, 3,
        lambda x: (x.view(1), _ZERO, _ONE),
    ),
    "hinge_embedding_loss": _pair(
        "distance of the pair", "∂ loss / ∂ distance", 0, 3,
        lambda x: (x.view(1), _ONE), lambda x: (x.view(1), -_ONE), cases=("alike", "not alike"),
    ),
    "cosine_embedding_loss": _pair(
        "angle between the pair (degrees)", "∂ loss / ∂ angle (per degree)", 0, 180,
        lambda x: (_turned(x), _apart(_ONE.squeeze()), _ONE),
        lambda x: (_turned(x), _apart(_ONE.squeeze()), -_ONE), cases=("alike", "not alike"),
    ),
    "triplet_margin_loss": _pair(
        "distance of the negative, where the positive's is 1", "∂ loss / ∂ distance", 0.05, 4,
        lambda x: (torch.zeros(1, 2, dtype=torch.float64), _apart(_ONE.squeeze()), _apart(x)),
    ),
    **dict.fromkeys(("msle_loss", "silog_loss"), _POSITIVE),
    **dict.fromkeys(("tweedie_loss", "gamma_nll_loss", "negative_binomial_nll_loss"), _LOG_MEAN),
    **dict.fromkeys(("pearson_loss", "concordance_loss", "balanced_mse_loss"), _OF_THREE),
    "ensemble_crps_loss": View(
        "two members around a target of 0, one of them at 1", "the other member", "∂ loss / ∂ member", _span(-3, 3),
        [(lambda x: (_row(1, x).unsqueeze(0), _ZERO),)],
    ),
    "soft_margin_loss": View(
        _LOGIT.title, _LOGIT.axis, _SLOPE, _LOGITS,
        [(lambda x: (_column(x), _element(1.0)), lambda x: (_column(x), _element(-1.0)))], cases=_LOGIT.cases,
    ),
    "nll_loss": View(
        "two classes, one of them true", "logit of the true class minus the other, before the log-softmax",
        _SLOPE, _LOGITS, [(lambda x: (_two(_column(x)).log_softmax(1), torch.tensor([1])),)],
    ),
    "multilabel_margin_loss": View(
        "two classes, one of them true", "logit of the true class minus the other", _SLOPE, _LOGITS,
        [(lambda x: (_two(_column(x)), torch.tensor([[1, -1]])),)],
    ),
    "focal_cosine_loss": View(
        "two classes, the other with a logit of 1", "logit of the true class", _SLOPE, _LOGITS,
        [(lambda x: (_row(1, x).unsqueeze(0), torch.tensor([1])),)],
    ),
    "distribution_balanced_loss": View(
        "two labels, the other with a logit of 0 and the opposite target", _LOGIT.axis, _SLOPE, _LOGITS,
        [(lambda x: (_two(_column(x)), _truths(0, 1)), lambda x: (_two(_column(x)), _truths(1, 0)))],
        cases=_LOGIT.cases,
    ),
    "coral_loss": _GRADES,
    "corn_loss": _GRADES,
    "kl_div": View(
        "two classes, one of them true", "logit of the true class minus the other", _SLOPE, _LOGITS,
        [(lambda x: (_two(_column(x)).log_softmax(1), torch.tensor([[0.0, 1.0]], dtype=torch.float64)),)],
    ),
}  # fmt: skip


def views(loss: Loss) -> dict[str, View]:
    """The views of a loss, by the kinds of its parts."""
    parts = [part for _, part in leaves(loss)]
    entries = [_entry(part) for part in parts]
    for entry in entries:
        if entry is not None and entry.name in _OF_PAIRS:
            return {entry.name: _OF_PAIRS[entry.name]}
    if any(isinstance(part, RegressionLoss) for part in parts) or any(e and e.family in _OF_NUMBERS for e in entries):
        return {"error": _ERROR}
    if any(e and e.family == "boxes" for e in entries):
        return {"shift": _BOX}
    if all(isinstance(part, (ClassificationLoss, MeanLoss)) and not isinstance(part, _OF_IMAGES) for part in parts):
        return {"logit": _LOGIT}
    return _ON_AN_IMAGE


def view_of(name: str) -> View:
    """The view of this name."""
    return VIEWS[name] if name in VIEWS else _OF_PAIRS[name]


def _entry(part: Loss) -> catalogue.Entry | None:
    """The part's entry in the catalogue; for a module or function from elsewhere, that of the same name."""
    try:
        return catalogue.find(part.label if isinstance(part, Wrapped) else type(part).__name__)
    except ValueError:
        return None


def curves(criterion: Criterion, over: str | None = None) -> list[Curve]:
    """A loss's value and gradient along each of its views, or along one of logit, confidence, overlap and error.

    The opposite case (a negative target) is a separate curve only where it is not the mirror image.
    """
    return curves_together([criterion], over)[0]


def curves_together(criteria: Iterable[Criterion], over: str | None = None) -> list[list[Curve]]:
    """The curves of losses drawn together: beside region losses, element losses are drawn on the same image."""
    if over is not None and over not in VIEWS:
        raise ValueError(f"over must be one of {', '.join(VIEWS)}; got {over!r}{nearest(over, VIEWS)}")
    losses = [as_loss(criterion) for criterion in criteria]
    chosen = [views(loss) if over is None else {over: VIEWS[over]} for loss in losses]
    if any("confidence" in own for own in chosen):
        chosen = [_ON_AN_IMAGE if "logit" in own else own for own in chosen]
    return [
        [curve for name, view in own.items() for curve in _along(loss, name, view)]
        for loss, own in zip(losses, chosen, strict=True)
    ]


def _along(loss: Loss, name: str, view: View) -> list[Curve]:
    drawn = [_curve(loss, name, view, call, opposite=i > 0) for i, call in enumerate(_fitting(loss, view))]
    if len(drawn) == 2 and _close(drawn[1].value, drawn[0].value[::-1]):
        drawn.pop()
    return drawn


def _fitting(loss: Loss, view: View) -> tuple[Call, ...]:
    """The first call of the view that the loss accepts."""
    needed = _needed(loss)
    if len(needed) > 3:
        raise ValueError(f"{loss.name} takes {', '.join(needed)}: it is no function of one number, so it has no curve.")
    said = []
    for calls in view.calls:
        try:
            _evaluate(loss, view.start(view.points[0]), calls[0])
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            said.append(str(error).split("\n")[0])
        else:
            return calls
    raise ValueError(f"{loss.label} cannot be drawn over the {view.axis}: {said[0]}")


def _needed(loss: Loss) -> list[str]:
    """The required arguments of a call."""
    parameters = inspect.signature(loss.forward).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def _curve(loss: Loss, name: str, view: View, call: Call, *, opposite: bool) -> Curve:
    try:
        values, gradients = _batched(loss, torch.stack([view.start(point) for point in view.points]), call)
    except (RuntimeError, TypeError, ValueError, AttributeError):  # losses with a state, foreign code
        found = [_evaluate(loss, view.start(point), call) for point in view.points]
        values, gradients = [value for value, _ in found], [gradient for _, gradient in found]
    return Curve(name, view.points, values, gradients, opposite)


def _batched(loss: Loss, starts: Tensor, call: Call) -> tuple[list[float], list[float]]:
    """What `_evaluate` returns for each start, in one call."""
    per_start = torch.func.vmap(torch.func.grad_and_value(lambda x: loss(*call(x)).sum()))
    gradients, values = per_start(starts)
    return values.tolist(), (gradients if starts.dim() == 1 else gradients.flatten(1).abs().sum(1)).tolist()


def _evaluate(loss: Loss, start: Tensor, call: Call) -> tuple[float, float]:
    """The value and its derivative; the sum of absolute derivatives where several elements vary."""
    varying = start.clone().requires_grad_()
    value = loss(*call(varying)).sum()
    if not value.requires_grad:
        return value.item(), 0.0
    (gradient,) = torch.autograd.grad(value, varying)
    return value.item(), (gradient if gradient.dim() == 0 else gradient.abs().sum()).item()


def _close(a: list[float], b: list[float]) -> bool:
    return torch.allclose(torch.tensor(a), torch.tensor(b), rtol=1e-4, atol=1e-6, equal_nan=True)
