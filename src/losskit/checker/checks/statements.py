"""Statements: what the documentation of a loss says of its values, its means and its symmetries."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losskit.checker import several
from losskit.checker.checks.arguments import weight_is_not_repetition
from losskit.checker.checks.effects import CLASS_WEIGHTS, class_numbers
from losskit.checker.checks.tools import BACKWARD, close, code, is_random, labelled, pull, tried, value
from losskit.checker.finding import Found
from losskit.checker.subject import LossRaised, Subject

_LACKS = r"(no|without|zero|none of the|not a single|lacks?|all censored)"
_THINGS = r"(events?|positives?|valid|foreground|labell?ed|objects?|pairs?|negatives?|tokens?|masked|observed|visible)"
_ZERO = r"\b(0|zero|finite)\b"
_NOTHING = (
    rf"\b{_LACKS}\b[^.;]{{0,25}}\b{_THINGS}\b[^.;]{{0,50}}{_ZERO}|"
    rf"{_ZERO}[^.;]{{0,50}}\b(if|when|where|for|with)\b[^.;]{{0,30}}\b{_LACKS}\b[^.;]{{0,25}}\b{_THINGS}\b"
)
_MARKS = r"event|mask|valid|observed|flag|status|visib|present|weight"  # tensors of 0 and 1 that choose what counts


def zero_for_nothing(subject: Subject) -> Iterator[Found]:
    """Whether a batch in which nothing counts has a finite loss, if the documentation says that it is 0."""
    if not subject.words.say(_NOTHING):
        return
    for tensors, arguments in _with_nothing(subject):
        found = tried(pull, subject, *tensors, **arguments)
        if found is not None and not found.finite:
            of = "loss" if not found.value.isfinite().all() else "gradient"
            yield Found(
                f"its documentation says that the loss is 0 if nothing counts, but the {of} is not finite",
                {"value": float(found.value)},
                code(subject, *tensors, arguments=arguments, lines=BACKWARD),
                None,
                "Divide by the count, but by 1 at least: count.clamp(min=1).",
            )
            return


def _with_nothing(subject: Subject) -> Iterator[tuple[tuple[Tensor, ...], dict[str, Any]]]:
    """Examples in which one of the tensors that choose what counts is 0, or in which no label is set."""
    spec, tensors = subject.spec, subject.example()
    for extra in spec.way.extras:
        if extra.is_mask:
            usual = extra.usual(tensors, spec.labels)
            yield tensors, {extra.name: ~usual if extra.boolean else 1 - usual}
    for at, name in enumerate(spec.tensors[: len(tensors)]):
        marks = re.search(_MARKS, name.lower()) is not None and at > 0
        if marks or (at == 1 and spec.two and spec.kind in ("binary", "multilabel") and spec.layout != "signs"):
            yield tuple(torch.zeros_like(each) if n == at else each for n, each in enumerate(tensors)), {}


_BOTH_EMPTY = (
    r"\bempty\b[^.;]*\b(nothing|empty|no foreground|no positives?)\b[^.;]*\b(correct|perfect|0|zero|1|one)\b|"
    r"\bboth\b[^.;]{0,30}\bempty\b[^.;]*\b(correct|perfect|0|zero|1|one)\b"
)


def zero_for_both_empty(subject: Subject) -> Iterator[Found]:
    """Whether an empty prediction of an empty target has a loss near 0, if the documentation says that it is right."""
    spec = subject.spec
    if spec.kind not in ("binary", "multilabel") or not labelled(spec) or not subject.words.say(_BOTH_EMPTY):
        return
    target = torch.zeros_like(subject.example()[1])
    input = torch.full(subject.example()[0].shape, -30.0 if spec.scores == "logits" else 0.0)
    found, usual = tried(value, subject, input, target), tried(value, subject, *subject.example())
    if found is not None and usual is not None and not abs(found) < 0.1 * abs(usual):
        yield Found(
            f"an empty prediction of an empty target is documented to be right, but its loss is {found:.4g}",
            {"both empty": found, "random": usual},
            code(subject, input, target),
            None,
            "Add the smoothing term to the numerator and the denominator.",
        )


_MEAN = (
    r"\b(averag\w+|mean)\b[^.;:]{0,60}?\b(pixels?|positions?|elements?|time ?steps?|steps?|frames?|entries|voxels?|"
    r"points|cells|joints|horizon|forecasts?|components?|coordinates)\b"
)
_TOTAL = r"\bsum(s|med|ming)?\b|\btotal\b|\bintegra|per.?sample norm|root"


def mean_of_positions(subject: Subject) -> Iterator[Found]:
    """Whether a documented mean over positions stays the same if all positions occur twice."""
    spec, words = subject.spec, subject.words
    if not words.say(_MEAN) or words.say(_TOTAL) or is_random(subject):
        return
    tensors = subject.example(batch=3)
    if spec.kind == "regression" and spec.two and spec.layout in ("same", "bare", "images"):
        axes = [(dim,) * len(tensors) for dim in range(1, tensors[0].dim())]
        axes = axes[-1:] if spec.way.extras else axes  # a mask of the other dimensions
    else:
        axes = _documented_axes(subject, tensors)
    costs = [_repeated(subject, tensors, each) for each in axes]
    beside = spec.layout.startswith(several.SEVERAL) and words.say(_ELEMENTWISE)  # with a term that stays as it is
    if costs and all(_grows(each, beside) for each in costs):
        grows = "a term of the loss" if beside and not close(costs[0][1], 2 * costs[0][0], 1e-3) else "the loss"
        yield Found(
            f"it is documented as a mean, but {grows} doubles if each element of a sample occurs twice",
            dict(zip(("once", "twice", "three times"), costs[0], strict=True)),
            code(subject, *_times(tensors, axes[0], 2)),
            None,
            "Divide by the number of elements in the sum.",
        )


_ELEMENTWISE = r"mean (absolute|squared) (error|difference)|\bm[as]e\b"


def _grows(costs: Sequence[float], beside: bool) -> bool:
    """Whether a sum of so many times the elements is proportional to their number, `beside` another term or not."""
    once, twice, thrice = costs
    more = twice - once
    return more > 1e-6 and close(thrice - twice, more, 1e-3) and (beside or (once > 1e-6 and close(more, once, 2e-3)))


def _documented_axes(subject: Subject, tensors: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """The last dimension of the first tensor in each tensor that is documented to have it; 0 in the others."""
    names = subject.parameters[: len(tensors)]
    shapes = [subject.words.shapes.get(name, ()) for name in names]
    if not subject.spec.layout.startswith(several.SEVERAL) or not all(shapes) or len(shapes[0]) < 3:
        return []
    size = shapes[0][-1]
    found = {subject.place(at): each.index(size) if size in each else 0 for at, each in enumerate(shapes)}
    axes = tuple(found[at] for at in range(len(tensors)))
    return [axes] if not size.isdigit() and sum(map(bool, axes)) > 1 else []


def _times(tensors: Sequence[Tensor], axes: Sequence[int], count: int) -> list[Tensor]:
    """The tensors with each element so often along its axis; those of axis 0 are left."""
    return [torch.cat([each] * count, axis) if axis else each for each, axis in zip(tensors, axes, strict=True)]


def _repeated(subject: Subject, tensors: Sequence[Tensor], axes: Sequence[int]) -> list[float]:
    """The loss if each element occurs once, twice and three times along an axis; NaN where it is refused."""
    costs = [tried(value, subject, *_times(tensors, axes, n)) for n in (1, 2, 3)]
    return [math.nan if each is None else each for each in costs]


_SUMMED = (
    r"\b(summed|sums?) (up )?over (the |all |its )?(\w+ )?(pixels?|positions?|elements?|time ?steps?|steps?|"
    r"dimensions?|features?|coordinates?|joints?|entries|voxels?|channels?)\b"
)
_DIVIDED = (
    r"divided|normali[sz]|weighted sum|ratio|root|"
    r"\bmean (over|of) (the |all )?(pixels|positions|elements|steps|entries)"
)


def sum_of_positions(subject: Subject) -> Iterator[Found]:
    """Whether a documented sum over positions grows if all positions occur twice."""
    spec, words = subject.spec, subject.words
    numbers = spec.kind == "regression" and spec.two and spec.layout in ("same", "bare")
    if not numbers or not words.say(_SUMMED) or words.say(_DIVIDED) or is_random(subject):
        return
    tensors = subject.example(batch=3)
    costs = [_repeated(subject, tensors, (dim,) * len(tensors)) for dim in range(1, tensors[0].dim())]
    if costs and all(c[0] > 1e-6 and close(c[0], c[1], 1e-3) and close(c[0], c[2], 1e-3) for c in costs):
        yield Found(
            "it is documented as a sum, but the loss stays the same if each element occurs twice",
            {"once": costs[0][0], "twice": costs[0][1]},
            code(subject, *(torch.cat([each, each], 1) for each in tensors)),
            None,
            "Sum over the elements of a sample, then take the mean of the samples.",
        )


_COPIES = r"\bcop(y|ies)\b|repeated|repetition|duplicat|occur\w* (twice|several times)"


def weight_of_copies(subject: Subject) -> Iterator[Found]:
    """Whether a weight counts like copies of a sample, if the documentation says so."""
    if "weight" in subject.spec.arguments and subject.spec.two and subject.words.say(rf"weight[^.;]*({_COPIES})"):
        for found in weight_is_not_repetition(subject):
            what = "its documentation says that weights count like copies, but " + found.what
            yield Found(what, found.evidence, found.repro)


_WEIGHTED_MEAN = r"weighted (mean|average)|(normali[sz]|divid)ed by the (sum of (the )?)?weights"


def weighted_mean(subject: Subject) -> Iterator[Found]:
    """Whether a documented weighted mean stays the same if all class weights are doubled."""
    option = next((each for each in CLASS_WEIGHTS if each in subject.spec.options), None)
    if option is None or not labelled(subject.spec) or not subject.words.say(_WEIGHTED_MEAN):
        return
    tensors, weights = subject.example(batch=3), class_numbers(subject.spec.classes)
    scaled = [n * weights for n in (1, 2, 3)]
    for given in (scaled, [each.tolist() for each in scaled]):
        costs = [tried(value, subject, *tensors, options={option: each}) for each in given]
        known = [each for each in costs if each is not None]
        if len(known) == 3 and close(known[1], 2 * known[0], 1e-3) and close(known[2], 3 * known[0], 1e-3):
            yield Found(
                f"it is documented as a weighted mean, but {option} twice as large doubles the loss",
                {"value": known[0], "weights twice as large": known[1]},
                code(subject, *tensors, options={option: given[1]}),
                None,
                "Divide by the sum of the weights of the elements: (w * loss).sum() / w.sum().",
            )
            return


_SAME_AS = (
    r"\b(equals?|equal to|same as|identical to|equivalent to|drop.?in replacement for)\s+(the )?`*"
    r"(?:torch\.)?(?:nn\.)?(?:functional\.|F\.)?(\w+)`*(?P<rest>[^.;\n]{0,40})"
)
_UNDER = r"\b(if|when|for|with|where|at|but|except|on|plus|times|up to|of)\b"


def same_as_of_torch(subject: Subject) -> Iterator[Found]:
    """Whether a loss that is documented to equal one of PyTorch does."""
    spec = subject.spec
    found = re.search(_SAME_AS, " ".join(subject.words.text.split()), re.IGNORECASE)
    configured = found is not None and found["rest"].lstrip("`").startswith("(") and found["rest"][:2] != "()"
    if found is None or configured or not spec.two:
        return
    if re.search(_UNDER, found["rest"]) or subject.words.say(_UNDER_BEFORE):
        return
    other = _of_torch(found[3])
    if other is None or is_random(subject):
        return
    examples = [subject.example(seed, correct=answer) for seed in range(2) for answer in (None, False)]
    pairs = [(tried(value, subject, *each), _computed(other, each)) for each in examples]
    if all(a is not None and b is not None and not close(a, b, 1e-2, 1e-4) for a, b in pairs):
        yield Found(
            f"it is documented to equal {found[3]}, but has other values",
            {"value": pairs[0][0], found[3]: pairs[0][1]},
            code(subject, *examples[0]),
            None,
            f"Change the code, or the sentence about {found[3]}.",
        )


_UNDER_BEFORE = r"\b(if|when|with|for) [^.;]{0,40}\b(equals?|equal to|same as|identical to|equivalent to|reduces to)\b"


def _of_torch(name: str) -> Any:
    of_class: Any = getattr(nn, name, None)
    if isinstance(of_class, type) and name.endswith("Loss"):
        return of_class()
    known = getattr(F, name, None)
    return known if callable(known) and re.search(r"loss|entropy|kl_div", name) else None


def _computed(other: Any, tensors: Sequence[Tensor]) -> float | None:
    try:
        return float(other(*tensors))
    except Exception:  # noqa: BLE001 - it takes other tensors
        return None


_BOUNDS = (
    r"\b(loss|value|result|returns?|it)\b[^.;]{0,30}\b(is|lies|are|values?|ranges?|number|scalar)?\b ?"
    r"(always )?(in|within|between|from) ?(the (range|interval))? ?\[?(0|0\.0|zero)(,| and| to) ?(1|1\.0|one)\b"
)
_NEVER_BELOW = r"\b(loss|value|result|it)\b[^.;]{0,30}\b(never negative|non-?negative|at least 0|>= ?0)\b"


def within_bounds(subject: Subject) -> Iterator[Found]:
    """Whether the loss lies within its documented bounds."""
    unit, positive = subject.words.say(_BOUNDS), subject.words.say(_NEVER_BELOW)
    if not (unit or positive) or not (
        subject.spec.labels or subject.spec.scores in ("probabilities", "images", "boxes")
    ):
        return
    for answer in (None, True, False):
        for scale in (1.0, 3.0):
            tensors = subject.example(correct=answer, scale=scale)
            found = tried(value, subject, *tensors)
            if found is None or not math.isfinite(found):
                continue
            if found < -1e-4 or (unit and found > 1 + 1e-4):
                bounds = "in [0, 1]" if unit else "never negative"
                yield Found(
                    f"the loss is documented to be {bounds}, but is {found:.4g}",
                    {"value": found},
                    code(subject, *tensors),
                    None,
                    "Compare the formula with its documentation.",
                )
                return


_EXACT = (
    r"\b(0|zero)\b[^.;]{0,40}\b(perfect|identical|exact|equal)\b|"
    r"\b(perfect|identical|exact|equal)\b[^.;]{0,40}\b(is|gives?|has|have|costs?|yields?|returns?)\b[^.;]{0,20}\b(0|zero)\b"
)


def zero_if_equal(subject: Subject) -> Iterator[Found]:
    """Whether equal predictions and targets have a loss of 0, if the documentation says so."""
    spec = subject.spec
    if not spec.two or spec.kind != "regression" or spec.layout not in ("same", "bare", "images", "boxes"):
        return
    if spec.scores in ("log_rates", "probabilities", "logits") or not subject.words.say(_EXACT):
        return
    tensors, random = subject.example(correct=True), subject.example()
    if not torch.equal(tensors[0], tensors[1]):
        return
    found, usual = tried(value, subject, *tensors), tried(value, subject, *random)
    if found is not None and usual is not None and abs(found) > 0.02 * abs(usual):
        yield Found(
            f"equal predictions and targets are documented to have a loss of 0, but it is {found:.4g}",
            {"equal": found, "random": usual},
            code(subject, *tensors),
            None,
            "Compare the formula with its documentation.",
        )


_UNCHANGED = r"(does not change|doesn't change|is unchanged|stays the same|invariant)\b[^.;]{0,30}\b"
_CHANGES: tuple[tuple[str, str, Callable[[Tensor], Tensor]], ...] = (
    (rf"{_UNCHANGED}(scal\w+|multipl\w+)|\bscale.?invariant", "scaling", lambda x: 3 * x),
    (rf"{_UNCHANGED}(shift\w*|offsets?|adding|constant)\b|\b(shift|offset).?invariant", "shifting", lambda x: x + 2),
)


def unchanged(subject: Subject) -> Iterator[Found]:
    """Whether scaling or shifting a prediction of numbers leaves the loss, if the documentation says so."""
    spec, words = subject.spec, subject.words
    if spec.kind != "regression" or not spec.two or spec.scores != "values" or is_random(subject):
        return
    for pattern, what, change in _CHANGES:
        if not words.say(pattern) or words.say(r"lambda|partial|variance.?focus|balance|optional|log"):
            continue
        input, target = subject.example()
        costs = [
            (tried(value, subject, input, target), tried(value, subject, *pair))
            for pair in ((change(input), target), (input, change(target)), (change(input), change(target)))
        ]
        if all(a is not None and b is not None and not close(a, b, 1e-2, 1e-4) for a, b in costs):
            yield Found(
                f"{what} is documented to leave the loss, but changes it",
                {"before": costs[0][0], "after": costs[0][1]},
                code(subject, change(input), target),
                None,
                "Compare the formula with its documentation.",
            )
            return


_SIZES_DIFFER = r"size of tensor|must match|shapes? |broadcast|cannot be multiplied|not aligned"


def takes_documented_sizes(subject: Subject) -> Iterator[Found]:
    """Whether tensors of the documented sizes are taken, if the loss was only called with others."""
    spec, words = subject.spec, subject.words
    if not spec.layout.startswith(several.SEVERAL) or spec.way.wraps or spec.way.inside:
        return
    parts = several.parts_of(spec.layout)
    if len(parts) != len(spec.tensors) or any(":" not in each for each in parts):
        return
    sizes = [words.shapes.get(name, ()) for name in spec.tensors]
    letters = {each for own in sizes for each in own}
    if not all(sizes) or not letters <= set("NBKCTDMLQ"):
        return
    said = [f"{part.split(':')[0]}:{','.join(own)}" for part, own in zip(parts, sizes, strict=True)]
    changed = [at for at, part in enumerate(parts) if part.split(":")[1] != ",".join(sizes[at])]
    if not changed or any(parts[at].split(":")[1].count(",") != len(sizes[at]) - 1 for at in changed):
        return
    tensors = several.make(f"{several.SEVERAL} {';'.join(said)}", subject.draw())
    given = tuple(each.float() if each.is_floating_point() else each for each in tensors)
    try:
        subject.value(*given)
    except LossRaised as error:
        name, own = spec.tensors[changed[0]], ", ".join(sizes[changed[0]])
        if re.search(_SIZES_DIFFER, str(error)):
            yield Found(
                f"{name} is documented as ({own}), but tensors of the documented sizes are refused: terms of different "
                "dimensions are combined",
                {"error": str(error)[:120]},
                code(subject, *given),
                None,
                "keepdim=True, or unsqueeze, where a term of fewer dimensions is combined.",
            )


STATEMENTS = (
    takes_documented_sizes,
    zero_for_nothing,
    zero_for_both_empty,
    mean_of_positions,
    sum_of_positions,
    weight_of_copies,
    weighted_mean,
    same_as_of_torch,
    within_bounds,
    zero_if_equal,
    unchanged,
)
