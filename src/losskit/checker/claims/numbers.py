"""Losses of numbers: Huber, log-cosh, percentage errors, quantiles, weights, masks and missing values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, drawn, near
from losskit.checker.finding import Found
from losskit.checker.origin import call_parameters
from losskit.checker.roles import emphasises
from losskit.checker.uses import uses_of

PREDICTION = Role(
    "prediction",
    r"y_?hat|y_?pred\w*|pred\w*|inputs?|inp|x|outputs?|out|forecasts?|mean|mu|estimate\w*|preds?_?\w*|q\w*",
)
TARGET = Role("target", r"y|y_?true|targets?|targ|tgt|labels?|gt|truth|actuals?|true|ground_truth|obs\w*|t|y_t|values?")
WEIGHT = Role("weight", r"w|weights?|sample_weights?|importance|weighting")
MASK = Role("mask", r"\w*mask\w*|valid\w*|observed|present")
_SHAPES: tuple[tuple[int, ...], ...] = ((6,), (6, 1), (2, 3), (2, 1, 4, 6), (2, 4, 3))


def shape_of(claimed: Claimed) -> tuple[int, ...] | None:
    """The first shape in which it returns a number; None if its prediction is a list or a dict."""
    if uses_of(claimed.subject.build(), [claimed.bound["prediction"]]):
        return None
    for shape in _SHAPES:
        given = {"prediction": drawn(*shape) + 3, "target": drawn(*shape, seed=1) + 3, **_whole(claimed, shape)}
        if math.isfinite(claimed.total(**given)):
            return shape
    return None


def _whole(claimed: Claimed, shape: Sequence[int]) -> dict[str, Tensor]:
    return {"mask": torch.ones(tuple(shape), dtype=torch.bool)} if claimed.has("mask") else {}


def _of_error(claimed: Claimed, error: float, options: dict[str, Any] | None = None, target: float = 0.0) -> float:
    """The loss if every element has this error."""
    shape = shape_of(claimed) or (6,)
    truth = torch.full(shape, target, dtype=torch.float64)
    return claimed.value(options, prediction=truth + error, target=truth, **_whole(claimed, shape))


def _given(claimed: Claimed, error: float, target: float = 0.0) -> dict[str, Tensor]:
    shape = shape_of(claimed) or (6,)
    truth = torch.full(shape, target)
    return {"prediction": truth + error, "target": truth, **_whole(claimed, shape)}


def huber(claimed: Claimed) -> Iterator[Found]:
    """A quarter at half of delta, three times at twice delta: quadratic inside, linear outside, without a step."""
    name = next((each for each in ("delta", "beta", "d") if claimed.option(each) is not None), None)
    usual = float(claimed.option(name) if name else 1.0)
    can = name is not None and name in claimed.subject.origin.options
    for delta in (usual, 2 * usual, usual / 2) if can and name else (usual,):
        options = {name: delta} if can and name else {}
        costs = [_of_error(claimed, sign * n * delta, options) for sign in (1, -1) for n in (0.5, 0.999, 1.001, 2.0)]
        if not all(map(math.isfinite, costs)) or costs[1] <= 0:
            return
        for half, before, after, twice in (costs[:4], costs[4:]):
            step = not near(before, after, 0.02)
            if step or not near(half / before, 0.25, 0.02) or not near(twice / before, 3.0, 0.02):
                at = f"{name}={delta:g}" if name else f"delta {delta:g}"
                yield claimed.found(
                    f"with {at} it jumps at an error of {delta:g}"
                    if step
                    else f"with {at} an error of twice delta has {twice / before:.4g} times the loss of delta, not 3",
                    {"half of delta": half, "below delta": before, "above delta": after, "twice delta": twice},
                    "e ** 2 / 2 up to delta, and delta * (|e| - delta / 2) beyond it.",
                    _given(claimed, delta),
                )
                return


_LOG_COSH_OF_1 = 1 + math.log1p(math.exp(-2)) - math.log(2)


def log_cosh(claimed: Claimed) -> Iterator[Found]:
    """The ratio of two errors, and a finite loss of a large one."""
    one, three = _of_error(claimed, 1.0), _of_error(claimed, 3.0)
    right = (3 + math.log1p(math.exp(-6)) - math.log(2)) / (1 + math.log1p(math.exp(-2)) - math.log(2))
    if one > 0 and not near(three / one, right, 0.01):
        yield claimed.found(
            f"an error of 3 has {three / one:.4g} times the loss of 1, not {right:.4g}",
            {"error 3": three, "error 1": one},
            "e + softplus(-2 e) - log 2.",
            _given(claimed, 3.0),
        )
    farther = _of_error(claimed, 20.0)
    ratio = (20 - math.log(2)) / _LOG_COSH_OF_1
    if one > 0 and math.isfinite(farther) and not near(farther / one, ratio, 0.01):
        yield claimed.found(
            f"an error of 20 has {farther / one:.4g} times the loss of 1, not {ratio:.4g}",
            {"error 20": farther, "error 1": one},
            "e + softplus(-2 e) - log 2, for large e too.",
            _given(claimed, 20.0),
        )
    far = _given(claimed, 200.0)
    if not math.isfinite(claimed.value(**far)):
        yield claimed.found(
            "cosh overflows at an error of 200",
            {"value": claimed.value(**far)},
            "e + softplus(-2 e) - log 2 is log(cosh(e)) without cosh.",
            far,
        )


def _from_to(claimed: Claimed, prediction: float, target: float) -> float:
    return _of_error(claimed, prediction - target, None, target)


_ABOVE_ZERO = r"positive|non-?negative|> ?=? ?0|above (0|zero)|counts|prices?|sales|demand"


def mape(claimed: Claimed) -> Iterator[Found]:
    """The error is relative to the target, and never below 0."""
    low, high, twice = _from_to(claimed, 1.0, 2.0), _from_to(claimed, 2.0, 1.0), _from_to(claimed, 2.0, 4.0)
    if not (math.isfinite(low) and math.isfinite(high)) or high == 0:
        return
    below = _from_to(claimed, 1.0, -2.0)
    if near(low / high, 2.0, 0.02):
        what = "the error is divided by the prediction, not by the target"
        yield claimed.found(
            what,
            {"1 for 2": low, "2 for 1": high},
            "(prediction - target).abs() / target.abs()",
            _given(claimed, -1, 2),
        )
    elif not near(twice, low, 0.02) and low > 0:
        yield claimed.found(
            "twice the prediction and target have another loss, so the error is not relative",
            {"1 for 2": low, "2 for 4": twice},
            "(prediction - target).abs() / target.abs()",
            _given(claimed, -1, 2),
        )
    elif below < 0 or (below > 100 * max(low, high) and not claimed.subject.words.say(_ABOVE_ZERO)):
        yield claimed.found(
            "a negative target has a negative loss"
            if below < 0
            else "the error of a negative target is divided by a number near 0",
            {"1 for -2": below, "1 for 2": low},
            "Divide by target.abs().",
            _given(claimed, 3, -2),
        )


def smape(claimed: Claimed) -> Iterator[Found]:
    """The same loss with prediction and target exchanged, and with both doubled."""
    pairs = [_from_to(claimed, *each) for each in ((1.0, 3.0), (3.0, 1.0), (2.0, 6.0))]
    if all(map(math.isfinite, pairs)) and pairs[0] > 0:
        for at, what in ((1, "exchanging prediction and target"), (2, "doubling prediction and target")):
            if not near(pairs[at], pairs[0], 0.02):
                yield claimed.found(
                    f"{what} changes the loss",
                    {"1 for 3": pairs[0], "3 for 1": pairs[1], "2 for 6": pairs[2]},
                    "2 * (p - t).abs() / (p.abs() + t.abs())",
                    _given(claimed, -2.0, 3.0),
                )
                return
        signs = _from_to(claimed, 1.0, -1.0)
        if not math.isfinite(signs) or signs > 100 * pairs[0] or signs < 0:
            yield claimed.found(
                "prediction and target of opposite sign divide by 0",
                {"1 for -1": signs},
                "Add the absolute values in the denominator: p.abs() + t.abs().",
                _given(claimed, 2.0, -1.0),
            )


_LEVELS = ("quantile", "q", "tau", "alpha", "level", "quantiles", "qs", "taus", "levels")


def _levels(claimed: Claimed) -> list[float]:
    """The levels of the quantiles."""
    criterion = claimed.subject.build()
    own = vars(criterion) if hasattr(criterion, "__dict__") else {}
    for name in _LEVELS:
        for known in (claimed.subject.origin.options, own, getattr(criterion, "_buffers", {})):
            held = known.get(name)
            found = held.tolist() if isinstance(held, Tensor) else held
            found = [found] if isinstance(found, float) else found
            if isinstance(found, (list, tuple)) and found and all(isinstance(q, float) and 0 < q < 1 for q in found):
                return list(found)
    return []


def quantile(claimed: Claimed) -> Iterator[Found]:
    """Predicting too low has q / (1 - q) times the loss of predicting too high."""
    levels = _levels(claimed)
    if not levels:
        return
    target = torch.zeros(6, dtype=torch.float64)
    for trailing in ((len(levels),), (1, len(levels)), () if len(levels) == 1 else (3, len(levels))):
        for truth in (target, target.unsqueeze(1)) if trailing else (target,):
            pulls = []
            for side in (-1.0, 1.0):
                given = {"prediction": truth.new_full((6, *trailing), side), "target": truth}
                try:
                    pulls.append(claimed.slope("prediction", **given).abs().sum(0).flatten())
                except Exception:  # noqa: BLE001 - this shape is refused
                    break
            if len(pulls) == 2 and pulls[0].numel() == len(levels) and pulls[0].isfinite().all():
                yield from _levels_apart(claimed, levels, pulls, given)
                return


def _levels_apart(claimed: Claimed, levels: list[float], pulls: list[Tensor], given: dict[str, Any]) -> Iterator[Found]:
    for level, low, high in zip(levels, *(each.tolist() for each in pulls), strict=True):
        right = level / (1 - level)
        if level != 0.5 and low > 0 and high > 0 and near(low / high, 1 / right, 0.01) and not near(right, 1, 0.01):
            yield claimed.found(
                f"the sides are exchanged: it estimates the quantile {1 - level:.3g} where {level:.3g} is asked for",
                {"pull where too low": low, "pull where too high": high, "ratio expected": right},
                "error = target - prediction; torch.maximum(q * error, (q - 1) * error).",
                given,
                "prediction",
            )
            return
        if high == 0 or low == 0 or not near(low / high, right, 0.02):
            yield claimed.found(
                f"for the quantile {level:.3g} predicting too low is pulled {low / max(high, 1e-12):.4g} times as hard "
                f"as too high, not {right:.4g} times",
                {"pull where too low": low, "pull where too high": high},
                "error = target - prediction; torch.maximum(q * error, (q - 1) * error).",
                given,
                "prediction",
            )
            return


def missing(claimed: Claimed) -> Iterator[Found]:
    """NaN in the target, where it marks missing values, changes neither the loss of the others nor the gradient."""
    if not ("isnan" in claimed.text.code or "isfinite" in claimed.text.code or "nansum" in claimed.text.code):
        return
    shape = shape_of(claimed)
    if shape is None:
        return
    prediction, target = drawn(*shape).float(), drawn(*shape, seed=1).float()
    hole = torch.zeros(shape, dtype=torch.bool)
    hole.view(-1)[1] = True
    given = {"prediction": prediction, "target": target.masked_fill(hole, math.nan), **_whole(claimed, shape)}
    found = claimed.value(**given)
    slope = claimed.slope("prediction", **given)
    if math.isfinite(found) and not bool(slope.isfinite().all()):
        yield claimed.found(
            "a missing value (NaN in the target) leaves the loss finite, but the gradient is NaN",
            {"loss": found, "gradient at the missing value": float(slope[hole][0])},
            "Before the arithmetic: target = torch.where(observed, target, prediction.detach()).",
            given,
            "prediction",
        )


def weights(claimed: Claimed) -> Iterator[Found]:
    """A sample without weight has no influence, whatever its error."""
    if not claimed.has("weight") or claimed.has("mask"):
        return
    for shape in ((6, 1), (6,), (6, 3)):
        for size in ((6,), shape):
            if _contradicts(claimed, shape, size):
                continue
            target = torch.zeros(shape, dtype=torch.float64)
            weight = torch.ones(size, dtype=torch.float64)
            weight[2] = 0.0
            prediction = target.clone()
            prediction[2] = 5.0
            given = {"prediction": prediction, "target": target, "weight": weight}
            if not math.isfinite(claimed.total(**given)):
                continue
            found, none = claimed.value(**given), claimed.value(**{**given, "prediction": target})
            if size == (6,) and shape == (6, 3) and not claimed.text.says(r"per.?sample|each sample|\(n,?\)"):
                continue
            if abs(found - none) > 1e-9 and (size != (6,) or shape != (6, 1) or _of_samples(claimed)):
                what = "a sample whose weight is 0 changes the loss"
                if size != shape:
                    what += f": weights {size} broadcast against errors {shape} to {(6, 6)}" * (shape == (6, 1))
                yield claimed.found(
                    what,
                    {"with an error of 5 there": found, "without": none},
                    "weight.reshape(-1, *[1] * (error.dim() - 1)) * error",
                    given,
                )
                return


def _contradicts(claimed: Claimed, shape: tuple[int, ...], size: tuple[int, ...]) -> bool:
    """Whether the documentation gives a prediction or a weight another number of dimensions."""
    shapes = claimed.subject.words.shapes
    known = [(shapes.get(claimed.bound[role]), given) for role, given in (("prediction", shape), ("weight", size))]
    return any(said and "*" not in said and "..." not in said and len(said) != len(given) for said, given in known)


def _of_samples(claimed: Claimed) -> bool:
    """Whether columns of predictions and rows of weights are documented."""
    return claimed.text.says(r"\((n|b|batch), ?1\)") and claimed.text.says(r"weights?[^()\n]*\((n|b|batch),?\)")


def rmse(claimed: Claimed) -> Iterator[Found]:
    """The root of a mean of squares, not the mean of the roots, which is the mean absolute error."""
    if claimed.has("mask") or claimed.has("weight"):
        return
    for shape in ((6,), (2, 3)):
        truth = torch.zeros(shape, dtype=torch.float64)
        given = {"prediction": truth + 5 * drawn(*shape), "target": truth}
        found = claimed.total(**given)
        if not near(found, float(given["prediction"].abs().mean())):
            return
    yield claimed.found(
        "the root is taken of each squared error: it is the mean absolute error",
        {"value": found, "root of the mean": float(given["prediction"].square().mean().sqrt())},
        "((prediction - target) ** 2).mean().sqrt()",
        given,
    )


def masked(claimed: Claimed) -> Iterator[Found]:
    """What a mask removes changes nothing, even if it is NaN or infinite in the target."""
    shape = shape_of(claimed)
    masks = [each.name for each in call_parameters(claimed.subject.build()) if "mask" in each.name.lower()]
    if shape is None or not claimed.has("mask") or len(masks) > 1 or emphasises(claimed.subject.words):
        return  # with two masks, each removes elements of one tensor
    documented = claimed.subject.words.shapes
    if len(documented.get(claimed.bound["mask"], shape)) < len(documented.get(claimed.bound["prediction"], ())):
        return  # it removes steps
    prediction, target = drawn(*shape), drawn(*shape, seed=1)
    keep = torch.ones(shape, dtype=torch.bool)
    keep.view(-1)[1] = False
    given = {"prediction": prediction, "target": target, "mask": keep}
    moved = target.clone()
    moved.view(-1)[1] += 50.0
    before = claimed.value(**given)
    after = claimed.value(**{**given, "target": moved})
    inverted = claimed.value(**{**given, "mask": ~keep}), claimed.value(**{**given, "mask": ~keep, "target": moved})
    if not math.isfinite(before) or near(before, after, 1e-9):
        return
    if math.isclose(*inverted, rel_tol=1e-3) or claimed.text.says(
        r"(true|1) (=|where|means|is|for|marks)[^.\n]*(ignor|pad|mask|miss)"
    ):
        return  # it marks what is left out
    yield claimed.found(
        "an element that the mask removes changes the loss",
        {"with another target there": after, "before": before},
        "Multiply or select the errors by the mask before the sum.",
        {**given, "target": moved},
    )


_PAIR = (PREDICTION, TARGET, MASK, WEIGHT)
_NUMBERS = r"mse|mae\b|l1|l2|huber|regress|forecast|squared|absolute|charbonnier|depth|pinball|quantile|rmse|error"
CLAIMS = (
    Claim(
        "Huber loss",
        r"\bhuber|smooth l 1|smooth l1",
        _PAIR,
        (huber,),
        unless=r"pseudo|revers|berhu|adaptive|wing|quantile|robust",
        named=True,
    ),
    Claim("root mean squared error", r"\brmse|root mean squared? error", _PAIR, (rmse,), unless="log", named=True),
    Claim("log-cosh loss", r"^(?!.*(dice|jaccard|tversky|iou)).*log ?cosh", _PAIR, (log_cosh,), named=True),
    Claim(
        "mean absolute percentage error",
        r"\bmape\b|absolute percentage",
        _PAIR,
        (mape,),
        unless=r"smape|symmetric|masked",
    ),
    Claim("symmetric percentage error", r"\bsmape\b|symmetric mean absolute percentage", _PAIR, (smape,), named=True),
    Claim("quantile loss", r"pinball|quantile", _PAIR, (quantile,), unless=r"huber|cross|expectile|smooth"),
    Claim("loss with missing values", r"miss|nan\b|observed|unobserved|invalid", _PAIR, (missing,)),
    Claim("weighted loss of numbers", _NUMBERS, _PAIR, (weights,), unless=r"cross entropy|bce|focal|dice"),
    Claim("masked loss of numbers", _NUMBERS, _PAIR, (masked,), unless=r"cross entropy|bce|focal|dice|ssim"),
)
