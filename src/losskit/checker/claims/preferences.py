"""Losses of preferred answers: direct preference optimisation."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from losskit.checker.claims.claim import Claim, Claimed, Role, near
from losskit.checker.finding import Found

_LOGS = r"(_?(log_?p(rob)?s?|lp|logprobabilities))?"
_POLICY, _REFERENCE = r"(policy|pi|model|actor)_", r"(ref(erence)?(_model)?|base|sft)_"
_CHOSEN, _REJECTED = r"(chosen|win\w*|w|pref\w*|pos\w*|better)", r"(reject\w*|los\w*|l|dispref\w*|neg\w*|worse)"


def _role(name: str, model: str, answer: str) -> Role:
    tail = model.rstrip("_")
    return Role(name, rf"({model}{answer}{_LOGS}|{answer}_{tail}{_LOGS}|{tail}{_LOGS}_{answer}|{answer}{_LOGS}_{tail})")


def _bare(name: str, answer: str) -> Role:
    return Role(
        name, rf"({_POLICY})?{answer}{_LOGS}|(policy|pi|log)_?(p(rob)?s?|log_?p(rob)?s?)?_{answer}|logp_?{answer}"
    )


_CHOSEN_BY_REFERENCE = _role("ref_chosen", _REFERENCE, _CHOSEN)
_REJECTED_BY_REFERENCE = _role("ref_rejected", _REFERENCE, _REJECTED)
_SIDES = {"chosen": -1, "rejected": 1, "ref_chosen": 1, "ref_rejected": -1}  # signs of the slopes


_OTHERS = r"\bipo|hinge|squared|conservative"


def preference(claimed: Claimed) -> Iterator[Found]:
    """The chosen answer becomes likelier than with the reference, the rejected one less likely."""
    if not claimed.has(*_SIDES):
        return
    given = {name: torch.full((4,), -2.0, dtype=torch.float64) for name in _SIDES}  # without a preference
    slopes = {name: claimed.slope(name, **given) for name in ("chosen", "rejected")}
    values = {name: claimed.value(**{**given, name: given[name] + 1e-3}) for name in ("ref_chosen", "ref_rejected")}
    before = claimed.value(**given)
    rises = {name: float(each.sum()) for name, each in slopes.items()}
    rises |= {name: (each - before) / 1e-3 for name, each in values.items()}
    if not all(map(math.isfinite, rises.values())):
        return
    size = max(map(abs, rises.values()))
    for name, sign in _SIDES.items():
        if rises[name] * sign < -1e-4 * size:
            way = "lowers" if sign > 0 else "raises"
            yield claimed.found(
                f"a higher log-probability in {claimed.bound[name]} {way} the loss",
                {f"slope of {claimed.bound[name]}": rises[name]},
                "-F.logsigmoid(beta * ((policy_chosen - policy_rejected) - (ref_chosen - ref_rejected))).mean()",
                given,
                name if name in slopes else "chosen",
            )
            return
    missing = next((name for name in ("ref_chosen", "ref_rejected") if abs(rises[name]) < 1e-6 * size), None)
    if missing is not None and not claimed.text.claims(r"reference.?free|simpo|orpo|without (a )?reference"):
        yield claimed.found(
            f"{claimed.bound[missing]} does not change the loss",
            {"slope": rises[missing]},
            "Subtract ref_chosen - ref_rejected from policy_chosen - policy_rejected.",
            given,
        )
        return
    logistic = claimed.text.claims(r"\bdpo\b|direct preference") and not claimed.text.claims(_OTHERS)
    if logistic and near(abs(before), 0.5, 1e-3):
        yield claimed.found(
            "without a preference the loss is 0.5, not log 2: the logarithm of the sigmoid is missing",
            {"value": before, "by definition": math.log(2)},
            "-F.logsigmoid(beta * margin).mean()",
            given,
        )


def far_apart(claimed: Claimed) -> Iterator[Found]:
    """Answers whose log-probabilities are far apart have a finite loss and gradient."""
    given = {name: torch.full((4,), -8.0) for name in claimed.bound}
    if not claimed.has("chosen", "rejected") or not math.isfinite(claimed.total(**given)):
        return
    for chosen, rejected in ((-180.0, -0.05), (-0.05, -180.0)):
        far = {**given, "chosen": torch.full((4,), chosen), "rejected": torch.full((4,), rejected)}
        cost, slope = claimed.value(**far), claimed.slope("chosen", **far)
        if not math.isfinite(cost) or not bool(slope.isfinite().all()):
            yield claimed.found(
                f"log-probabilities of {chosen:g} and {rejected:g} have a loss or gradient that is not finite",
                {"loss": cost, "gradient": float(slope[0])},
                "F.logsigmoid(x) for log(sigmoid(x)), and log1p(-exp(x)) for log(1 - exp(x)).",
                far,
                "chosen",
            )
            return


_NLL = Role("nll", r"(sft_|policy_|chosen_)?nll(_loss)?|sft_loss|ce_loss|lm_loss")
CLAIMS = (
    Claim(
        "odds ratio preference optimisation",
        r"\borpo\b|odds.?ratio|\bcpo\b|simpo",
        (_bare("chosen", _CHOSEN), _bare("rejected", _REJECTED), _NLL),
        (far_apart,),
    ),
    Claim(
        "direct preference optimisation",
        r"\bdpo\b|preference|\bipo\b",
        (
            _CHOSEN_BY_REFERENCE,
            _REJECTED_BY_REFERENCE,
            _bare("chosen", _CHOSEN),
            _bare("rejected", _REJECTED),
        ),
        (preference, far_apart),
    ),
)
