"""What may change without changing a loss: the sign of a quaternion, the axes of an image, the rest of the batch."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import torch

from losskit.checker.checks.tools import close, code, is_random, tried, value
from losskit.checker.claims.claim import Claim, Claimed, Role, drawn, near
from losskit.checker.claims.images import FIRST, SECOND
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

ONE = Role("first", FIRST.names + r"|q|q_?(1|a|pred|hat|est)|quat\w*_?(pred|1|a)?|pred_q\w*|style_out|content")
OTHER = Role("second", SECOND.names + r"|style\w*|q_?(2|b|gt|true|target)|quat\w*_?(gt|true|2|b|target)|gt_q\w*|p")


def sign_of_quaternion(claimed: Claimed) -> Iterator[Found]:
    """A quaternion and its negative are the same rotation."""
    if claimed.text.says(r"hemisphere|continuous|same sign|non.?negative|w ?>=? ?0|positive (w|real)"):
        return
    first = torch.nn.functional.normalize(drawn(3, 4).float(), dim=1)
    second = torch.nn.functional.normalize(drawn(3, 4, seed=1).float(), dim=1)
    before, after = claimed.value(first=first, second=second), claimed.value(first=-first, second=second)
    if math.isfinite(before) and math.isfinite(after) and not near(before, after):
        yield claimed.found(
            "a quaternion and its negative, which are the same rotation, have different losses",
            {"of q": before, "of -q": after},
            "Take the smaller of the distances to q and to -q, or the absolute value of their product.",
            {"first": first, "second": second},
        )


_RELATIVE = r"relative|percent|\bm?ape\b|\blog|normali[sz]|scaled?\b|ratio|mase|calibrat|cdf|probab|smoothness|positive"


@kind(r"\btube|interval|quantile|pinball|winkler")
def shift_of_numbers(subject: Subject) -> Iterator[Found]:
    """Whether a loss of an interval or a quantile depends on the distances to the target alone."""
    spec = subject.spec
    if spec.way.inside or spec.way.extras or is_random(subject) or re.search(_RELATIVE, subject.words.all):
        return
    for seed in range(6):
        tensors = subject.example(seed, batch=24, dtype=torch.float64)
        if len(tensors) != 2 or not all(each.is_floating_point() for each in tensors):
            return
        moved = tuple(each + 3.0 for each in tensors)
        costs = [tried(value, subject, *each) for each in (tensors, moved)]
        if costs[0] is None or costs[1] is None or not all(map(math.isfinite, costs)):  # type: ignore[arg-type]
            return
        if close(costs[0], costs[1], 1e-3):
            continue
        yield Found(
            "adding one number to predictions and targets changes the loss: it does not depend on the distances alone",
            {"plus 3": costs[1], "before": costs[0]},
            code(subject, *moved),
            None,
            "Compare differences of predictions and targets, never a target with a sum of bounds.",
        )
        return


def axes_of_image(claimed: Claimed) -> Iterator[Found]:
    """The edges of both axes count alike: exchanging the axes of both images changes nothing."""
    for channels in (1, 3):
        first = drawn(2, channels, 9, 1).sigmoid().float().expand(2, channels, 9, 9).contiguous()
        second = torch.full_like(first, 0.5)
        before, after = claimed.total(first=first, second=second), claimed.total(first=first.mT, second=second)
        if not (math.isfinite(before) and math.isfinite(after)):
            continue
        if not near(before, after, relative=1e-2):
            small = {"first": first[:1, :, :5, :5].contiguous(), "second": second[:1, :, :5, :5].contiguous()}
            yield claimed.found(
                "horizontal stripes have another loss than the same stripes upright: the edges of one axis count more",
                {"horizontal": before, "upright": after},
                "The kernel of one axis is the transposed kernel of the other.",
                small,
            )
        return


MAP = Role("map", r"(pred_?)?(disp\w*|depth\w*|flow\w*)|pred\w*|x|inputs?|im\w*|pyramid|y_?hat|out\w*|batch")
GUIDE = Role("guide", r"im\w*|rgbs?|guid\w*|frames?|left\w*|target\w*|y|pyr\w*")


def _striped(size: int, several: bool, seed: int = 0, channels: int = 1) -> Any:
    """Horizontal stripes, at one or two scales."""
    made = [drawn(1, channels, n, 1, seed=seed).sigmoid().float().expand(1, channels, n, n) for n in (size, size // 2)]
    return [each.contiguous() for each in made] if several else made[0].contiguous()


def axes_of_map(claimed: Claimed) -> Iterator[Found]:
    """Differences along both axes count alike: horizontal stripes cost what upright ones do."""
    for channels, several, guides in ((1, False, False), (3, False, False), (1, True, True), (1, True, False)):
        given: dict[str, Any] = {"map": _striped(8, several, channels=channels)}
        if claimed.has("guide"):
            given["guide"] = _striped(8, guides, 1, 3)
        turned = {role: _turned(each) for role, each in given.items()}
        before, after = claimed.total(**given), claimed.total(**turned)
        if not (math.isfinite(before) and math.isfinite(after)):
            continue
        if not near(before, after, relative=1e-2):
            yield claimed.found(
                "horizontal stripes have another loss than the same stripes upright: one axis is left out or counts"
                " more",
                {"horizontal": before, "upright": after},
                "Add the differences along the height and along the width.",
                given,
            )
        return


def _turned(x: Any) -> Any:
    return [each.mT.contiguous() for each in x] if isinstance(x, list) else x.mT.contiguous()


_EACH = r"(per|each|every)[- ]?(image|sample|example|item)|per.?image|image.?wise"


def images_apart(claimed: Claimed) -> Iterator[Found]:
    """The images of a batch are not correlated with each other, if the documentation says each has its own matrix."""
    if not claimed.text.says(_EACH) or re.search(r"norm\(|sqrt\(", claimed.text.code):
        return
    rows = [[drawn(1, 3, 4, 4, seed=4 * place + n).float() for n in range(4)] for place in range(2)]
    costs = []
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        first, second = (torch.cat([rows[0][2 * a + n], rows[1][2 * b + n]]) for n in range(2))
        costs.append(claimed.value(first=first, second=second))
    mixed = costs[0] - costs[1] - costs[2] + costs[3]
    if all(map(math.isfinite, costs)) and abs(mixed) > 1e-3 * max(map(abs, costs)):
        yield claimed.found(
            "the cost of one image depends on the other images of the batch: they are correlated with each other",
            {"second difference of two images": mixed},
            "features.reshape(batch, channels, -1) and a product for each image, torch.bmm.",
            {"first": first[:, :2, :2, :2], "second": second[:, :2, :2, :2]},
        )


WEIGHTS = Role("weights", r"(target_?|joints?_?|kpt_?)?weights?|w|joints_vis|vis\w*")


def doubled_weights(claimed: Claimed) -> Iterator[Found]:
    """Twice the weights give twice the loss, or the same where it is divided by them."""
    if not claimed.has("weights") or claimed.text.says(r"\b0 (for|if|where)|0/1|visib|annotated"):
        return  # weights of 0 and 1 may be inside
    first, second = (0.9 * drawn(2, 3, 4, 4, seed=n).sigmoid().float() for n in (0, 1))
    for size in ((2, 3), (2, 3, 1)):
        given = {"first": first, "second": second, "weights": torch.ones(size)}
        doubled = {**given, "weights": torch.full(size, 2.0)}
        one, two = claimed.total(**given), claimed.total(**doubled)
        if not (math.isfinite(one) and math.isfinite(two)) or one <= 0:
            continue
        if not any(near(two, n * one, relative=2e-2) for n in (1, 2)):
            yield claimed.found(
                f"twice the weights give {two / one:.2g} times the loss: the weights are inside the error, which is not"
                " linear",
                {"with weights of 1": one, "with weights of 2": two},
                "Multiply the loss of each element by its weight, not the prediction and the target.",
                {
                    "first": first[:1, :1, :2, :2],
                    "second": second[:1, :1, :2, :2],
                    "weights": doubled["weights"][:1, :1],
                },
            )
        return


STEPS = Role("steps", r"(flow|disp)?_?(preds?|predictions?|list|iters?|outputs?|seq\w*)|flows|preds\w*|flow_preds\w*")
TRUE = Role("true", r"(flow|disp)?_?(gt|target|true|label)|gt_?flow|target\w*|y|gt")
SEEN = Role("seen", r"\w*mask\w*|valid\w*|m")


def one_step(claimed: Claimed) -> Iterator[Found]:
    """A sequence of one prediction has a loss."""
    true = drawn(1, 2, 3, 4).float()
    for seen in (torch.ones(1, 3, 4), torch.ones(1, 1, 3, 4)):
        rest = {"true": true, "seen": seen} if claimed.has("seen") else {"true": true}
        several = [true + 0.5, true + 0.25]
        if not math.isfinite(claimed.total(steps=several, **rest)):
            continue
        try:
            claimed.value(steps=several[:1], **rest)
        except Exception as error:  # noqa: BLE001 - only one kind of it is a finding
            if isinstance(getattr(error, "original", None), ZeroDivisionError):
                yield claimed.found(
                    "a sequence of one prediction divides by zero: the exponent or the mean is over n - 1",
                    {"predictions": 1, "raises": "ZeroDivisionError"},
                    "max(n - 1, 1)",
                    {"steps": several[:1], **rest},
                )
        return


ERROR = Role("error", r"e|err\w*|diff\w*|resid\w*|delta_\w+|x|u|r")
BOUND = Role("bound", r"d|delta|beta|threshold|c|k|eps\w*|cutoff|scale|alpha|margin|sigma")


def both_signs(claimed: Claimed) -> Iterator[Found]:
    """An error and its opposite have the same loss."""
    for size in (0.5, 3.0, 30.0):
        error = torch.full((4,), size).double()
        given, opposite = ({"error": each, "bound": 2.0} for each in (error, -error))
        above, below = claimed.total(**given), claimed.total(**opposite)
        if math.isfinite(above) and math.isfinite(below) and not near(above, below):
            yield claimed.found(
                f"an error of {-size:g} has another loss than one of {size:g}",
                {f"error {size:g}": above, f"error {-size:g}": below},
                "Compare error.abs() with the threshold.",
                opposite,
            )
            return


_PAIR = (ONE, OTHER)
_ROTATION = r"quaternion|\bquat (loss|distance|dist)|\bquat\b"
CLAIMS = (
    Claim(
        "distance of quaternions",
        _ROTATION,
        _PAIR,
        (sign_of_quaternion,),
        ordered=True,
        unless=r"unit norm|norm penalty|dual|posenet|\blog|raw|translation",
        named=True,
    ),
    Claim(
        "edge loss",
        r"\bsobel|\bscharr|\bprewitt|\bedges?\b|\bgrad(ient)? (diff\w* )?loss|image gradient|laplacian",
        _PAIR,
        (axes_of_image,),
        ordered=True,
        unless=r"horizontal|vertical|anisotrop|direction|spherical|equirect",
        named=True,
    ),
    Claim(
        "smoothness of a map",
        r"\btv\b|total ?variation|smoothness",
        (MAP, GUIDE),
        (axes_of_map,),
        unless=r"horizontal|vertical|anisotrop|temporal|spherical|equirect|spectr|mel|3d|volume|audio|graph|mask",
        named=True,
    ),
    Claim("style loss", r"\bgram\b|style", _PAIR, (images_apart,), ordered=True, unless=r"adain|mean|std", named=True),
    Claim(
        "wing loss of weighted joints",
        r"wing",
        (FIRST, SECOND, WEIGHTS),
        (doubled_weights,),
        unless=r"\bmask|weight map",
        named=True,
    ),
    Claim("loss of errors", r"huber|smooth ?l1|charbonnier|log ?cosh", (ERROR, BOUND), (both_signs,), named=True),
    Claim("loss of a sequence of predictions", r"sequence|\braft\b|iterat", (STEPS, TRUE, SEEN), (one_step,)),
)
