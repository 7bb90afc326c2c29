"""Focal losses: the factor that a loss of labels multiplies its cross-entropy by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from losskit.checker.checks.curves import Curve, curve_of
from losskit.checker.checks.tools import code, labelled
from losskit.checker.claims.kinds import kind, taken_as
from losskit.checker.claims.text import text_of
from losskit.checker.finding import Found
from losskit.checker.subject import Subject


@kind(r"(?<!vari)focal(?!.?(frequency|tversky|region))")
def focal_factor(subject: Subject) -> Iterator[Found]:
    if subject.spec.layout == "signs":
        subject = taken_as(subject, ("binary", "logits", "same"))
    spec = subject.spec
    if "norm" in subject.words.all + subject.words.code:
        return  # the sum of the factors divides them out where all samples are alike
    if not labelled(spec) or spec.scores not in ("logits", "probabilities") or spec.layout == "soft":
        return
    gamma = subject.origin.options.get("gamma")
    options = {"gamma": 2.0} if isinstance(gamma, (int, float)) and "gamma" in spec.options else {}
    alpha = subject.origin.options.get("alpha")
    if isinstance(alpha, float) and 0 < alpha < 1 and "alpha" in spec.options:
        options["alpha"] = 0.3
    labels = (0, 1) if spec.ignore_index != 0 else (1, 2)
    curves = [curve_of(subject, each, options) for each in labels]
    if None in curves:
        return
    yield from _factor(subject, curves, options)  # type: ignore[arg-type]
    if spec.kind != "multiclass" and "alpha" in options:
        yield from _balance(subject, curves, options)  # type: ignore[arg-type]


def _factor(subject: Subject, curves: Sequence[Curve], options: dict[str, float]) -> Iterator[Found]:
    """Whether the factor of each label is (1 - pt) ** gamma."""
    for label, curve in zip((0, 1), curves, strict=True):
        right, reversed_ = curve.power_of(1 - curve.sure), curve.power_of(curve.sure)
        if right is not None and ("gamma" not in options or abs(right[1] - options["gamma"]) < 0.03):
            continue
        of_what = "" if subject.spec.kind == "multiclass" else f" of {'positives' if label else 'negatives'}"
        what = ""
        if reversed_ is not None and reversed_[1] > 0.5:
            what = f"the factor{of_what} is pt ** {reversed_[1]:.3g}: easy examples count most"
        elif right is not None and abs(right[1]) < 0.03:
            what = f"the factor{of_what} is constant: easy examples count as much as hard ones"
        elif right is not None:
            what = f"the factor{of_what} is (1 - pt) ** {right[1]:.3g} for gamma={options['gamma']:g}"
        elif "gamma" in options and _is(curve, 1 - curve.sure ** options["gamma"]):
            what = f"the factor{of_what} is 1 - pt ** gamma, not (1 - pt) ** gamma"
        elif "gamma" in options and _is(curve, -((1 - curve.sure) ** options["gamma"]) / curve.sure.log()):
            what = f"the loss{of_what} is the factor alone: the cross-entropy, -log(pt), is missing"
        elif "gamma" in options and _is(curve, options["gamma"] * (1 - curve.sure)):
            what = f"the factor{of_what} is gamma * (1 - pt): gamma multiplies instead of being the exponent"
        elif right is None and "gamma" in options and _rises(curve) and not re.search(_SUMS, subject.words.all):
            what = f"the factor{of_what} does not fall as pt grows: easy examples count as much as hard ones, or more"
        if not what and right is None and _asymmetric(subject, curves[1 - label], options):
            what = f"the loss{of_what} is no power of 1 - pt times the cross-entropy, though that of the other label is"
        if what:
            tensors = _example(subject, label, 2.0)
            numbers = {
                "loss / cross-entropy where pt is 0.88": float(curve.ratio[-1]),
                "where pt is 0.08": float(curve.ratio[0]),
            }
            fix = "(1 - pt) ** gamma * cross_entropy, where pt is the probability of the label: p for 1, 1 - p for 0"
            yield Found(what, numbers, code(subject, *tensors, options=options), None, fix)
            return


_BY_LABEL = r"asym|clip|margin|shift|smooth|poly|soft|gaussian|heat|quality|vari"


def _asymmetric(subject: Subject, other: Curve, options: dict[str, float]) -> bool:
    """Whether the loss of the other label is that of the formula, and nothing says that the labels differ."""
    plain = subject.spec.kind != "multiclass" and "gamma" in options
    right = other.power_of(1 - other.sure) if plain else None
    said = re.search(_BY_LABEL, f"{subject.words.all} {subject.words.code}") is not None
    return right is not None and abs(right[1] - options["gamma"]) < 0.03 and not said


def _is(curve: Curve, factor: Tensor) -> bool:
    by = curve.ratio / factor
    return bool((by > 0).all()) and float(by.max() / by.min()) < 1.005


_SUMS = r"dice|\biou|tversky|jaccard|combo|combin|hybrid|sum of"  # whose other part has no factor


def _rises(curve: Curve) -> bool:
    """Whether the ratio to the cross-entropy is larger for a sure correct prediction than for a wrong one."""
    return float(curve.ratio[-1]) > 0.95 * float(curve.ratio[0]) > 0


def _example(subject: Subject, label: int, scale: float) -> tuple[Tensor, Tensor]:
    labels = torch.full_like(subject.labels(batch=1), label)
    return subject.input_of(labels, scale), subject.target_of(labels)


_BOTH = (
    r"1 ?- ?alpha|alpha[^.;]{0,60}(positiv|foreground|rare|balanc|class)|balanc[^.;]{0,40}alpha|"
    r"(positiv|foreground)[^.;]{0,30}alpha"
)


def _balance(subject: Subject, curves: Sequence[Curve], options: dict[str, float]) -> Iterator[Found]:
    """Whether alpha weighs positives and 1 - alpha weighs negatives, if the documentation says so."""
    negative, positive = (each.power_of(1 - each.sure) for each in curves)
    if negative is None or positive is None or not text_of(subject.build(), subject.name).says(_BOTH):
        return
    share, alpha = positive[0] / (positive[0] + negative[0]), options["alpha"]
    numbers = {"positives": positive[0], "negatives": negative[0], "documented": f"{alpha:g} and {1 - alpha:g}"}
    repro = code(subject, *_example(subject, 0, -1.0), options=options)
    fix = "alpha_t = alpha * target + (1 - alpha) * (1 - target)"
    if abs(share - 0.5) < 1e-3:
        yield Found("alpha weighs positives and negatives alike, so it balances nothing", numbers, repro, None, fix)
    elif abs(share - (1 - alpha)) < 1e-3 and not subject.words.say(r"alpha[^.;]{0,40}(negativ|background)"):
        yield Found("alpha weighs the negatives and 1 - alpha the positives", numbers, repro, None, fix)
