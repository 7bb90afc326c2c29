"""Losses of generators and critics: hinge, least squares, Wasserstein, relativistic, and gradient penalties."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, near
from losskit.checker.finding import Found
from losskit.checker.models import Linear
from losskit.checker.subject import LossRaised
from losskit.checker.uses import MODE, uses_of

REAL = Role("real", r"(d_?|disc_?)?(real|r)(_\w+)?|\w+_real|y_?real|pred_?real|target_scores")
FAKE = Role("fake", r"(d_?|disc_?|g_?)?(fakes?|gen\w*|f)(_\w+)?|\w+_fake|y_?fake|pred_?fake")
SCORES = Role("scores", r"scores?|logits?|pred\w*|inputs?|x|outputs?|critic_\w+|d_?out\w*|disc\w*")
MODE_ = Role(
    "mode",
    r"mode|kind|phase|which|role|type|side|target|part|for_?\w+|is_\w+|target_is_real|real|discriminator|generator",
)
PLAYER = Role("player", r"(for_|is_|train_)?(dis\w*|critic|gen\w*)|player|who|step")
REAL_SIDE, FAKE_SIDE, GENERATOR = "real", "fake", "generator"


def _side(mode: Any, name: str) -> str:
    """The part of the game that a mode means; empty if it does not say so."""
    if isinstance(mode, bool):
        if re.search(r"gen", name):
            return GENERATOR if mode else ""
        if re.search(r"real", name):
            return REAL_SIDE if mode else FAKE_SIDE
        return "" if mode or not re.search(r"dis|critic", name) else GENERATOR
    text = str(mode).lower()
    if re.search(r"^g$|gen|^g_", text):
        return GENERATOR
    if re.search(r"real", text):
        return REAL_SIDE
    return FAKE_SIDE if re.search(r"fake", text) else ""


def _pulls(claimed: Claimed, of: str, **fixed: Any) -> dict[float, float]:
    """The slope of the scores at scores on both sides of every margin."""
    found = {}
    for at in (-5.0, -0.5, 0.5, 5.0):
        given = {of: torch.full((4, 1), at, dtype=torch.float64), **fixed}
        found[at] = float(claimed.slope(of, **given).sum())
    return found


def by_mode(claimed: Claimed) -> Iterator[Found]:
    """In each mode: real scores are raised, fake scores lowered, and the generator's raised wherever they are low."""
    for modes, side in _modes(claimed):
        try:
            pulls = _pulls(claimed, "scores", **modes)
        except LossRaised:
            continue  # the generator may refuse scores of fake samples
        if not all(map(math.isfinite, pulls.values())):
            continue
        mode = ", ".join(f"{claimed.bound[role]}={each!r}" for role, each in modes.items())
        low = [pulls[-5.0], pulls[-0.5]]
        given = {"scores": torch.full((4, 1), -0.5), **modes}
        if side in (REAL_SIDE, GENERATOR) and max(low) >= 0:
            what = "are lowered" if max(low) > 0 else "get no gradient"
            whom = "real samples" if side == REAL_SIDE else "generated samples, which the critic rejects,"
            yield claimed.found(
                f"with {mode} low scores of {whom} {what}",
                {"slope at -5": pulls[-5.0], "slope at -0.5": pulls[-0.5]},
                "relu(1 - score) for real samples; -score without a relu for the generator."
                if claimed.text.claims("hinge")
                else "The loss must fall as these scores rise.",
                given,
                "scores",
            )
            return
        if side == FAKE_SIDE and min(pulls[0.5], pulls[5.0]) <= 0:
            yield claimed.found(
                f"with {mode} high scores of fake samples "
                + ("are raised" if min(pulls[0.5], pulls[5.0]) < 0 else "get no gradient"),
                {"slope at 0.5": pulls[0.5], "slope at 5": pulls[5.0]},
                "relu(1 + score) for fake samples." if claimed.text.claims("hinge") else "It must rise with them.",
                {"scores": torch.full((4, 1), 0.5), **modes},
                "scores",
            )
            return


def _modes(claimed: Claimed) -> Iterator[tuple[dict[str, Any], str]]:
    """The values of one or two arguments that say whose step it is, and the side that they mean."""
    roles = [role for role in ("mode", "player") if claimed.has(role)]
    names = [claimed.bound[role] for role in roles]
    uses = uses_of(claimed.subject.build(), names)
    known = [uses[name].values if name in uses and uses[name].sort == MODE else (True, False) for name in names]
    for values in itertools.product(*known):
        sides = [_side(value, name.lower()) for value, name in zip(values, names, strict=True)]
        modes = dict(zip(roles, values, strict=True))
        if FAKE_SIDE in sides and GENERATOR in sides:
            continue  # the generator has one target
        side = GENERATOR if GENERATOR in sides else next(filter(None, sides), "")
        if side:
            yield modes, side


def _generator(claimed: Claimed) -> bool:
    return bool(re.search(r"\bgen|\bg loss|\bg\b", claimed.text.names))


_BETWEEN = (0.3, 0.6)  # scores between the targets of least squares, where the slope is 0


def _level(at: float) -> dict[str, Tensor]:
    """Real and fake scores of this size."""
    return {each: torch.full((4, 1), at, dtype=torch.float64) for each in (REAL_SIDE, FAKE_SIDE)}


def halves(claimed: Claimed) -> Iterator[Found]:
    """A critic raises real scores and lowers fake ones; a generator raises fake ones."""
    if claimed.subject.spec.part == "result[0]":
        return  # it returns both terms apart
    if claimed.has("real", "fake"):
        if claimed.has("mode") or _generator(claimed):
            return
        for of, wanted in (("real", -1), ("fake", 1)):
            slopes = {at: float(claimed.slope(of, **_level(at)).sum()) for at in _BETWEEN}
            if all(math.isfinite(slope) and slope * wanted <= 0 for slope in slopes.values()):
                given, slope = _level(_BETWEEN[0]), slopes[_BETWEEN[0]]
                what = "get no gradient" if slope == 0 else "are lowered" if wanted < 0 else "are raised"
                yield claimed.found(
                    f"{of} scores of {_BETWEEN[0]} {what} by the critic's loss",
                    {"slope": slope},
                    "relu(1 - real).mean() + relu(1 + fake).mean()"
                    if claimed.text.claims("hinge")
                    else "Real scores should rise and fake ones fall.",
                    given,
                    of,
                )
                return
    elif claimed.has("fake") and _generator(claimed):
        pulls = _pulls(claimed, "fake")
        if all(map(math.isfinite, pulls.values())) and max(pulls[-5.0], pulls[-0.5]) >= 0:
            what = "are lowered" if max(pulls[-5.0], pulls[-0.5]) > 0 else "get no gradient"
            yield claimed.found(
                f"scores of generated samples that the critic rejects {what}",
                {"slope at -5": pulls[-5.0], "slope at -0.5": pulls[-0.5]},
                "-fake.mean() for the hinge and Wasserstein losses; softplus(-fake).mean() for the non-saturating one.",
                {"fake": torch.full((4, 1), -0.5)},
                "fake",
            )


def hinge_margin(claimed: Claimed) -> Iterator[Found]:
    """A critic that is right beyond the margin has no loss; at 0 on both sides the loss is positive."""
    apart = claimed.subject.spec.part == "result[0]"  # it returns both terms
    if apart or not claimed.has("real", "fake") or claimed.has("mode") or _generator(claimed):
        return
    sure = {"real": torch.full((4, 1), 3.0), "fake": torch.full((4, 1), -3.0)}
    found = claimed.value(**sure)
    if found != 0 and math.isfinite(found) and not claimed.text.claims("relativ|average"):
        yield claimed.found(
            "real scores of 3 and fake ones of -3 are beyond the margin, but have a loss",
            {"value": found},
            "relu(1 - real).mean() + relu(1 + fake).mean()",
            sure,
        )


CRITIC = Role("critic", r"critic\w*|(net_?)?d|disc\w*|model|net\w*|f|discriminator|netd")
REAL_DATA = Role("real", r"real\w*|x_?real|x|reals?|real_?(data|samples|images?)")
FAKE_DATA = Role("fake", r"fake\w*|x_?fake|gen\w*|x_?hat|fakes?|y")
_IMAGES = ((4, 3, 5, 6), (4, 6), (4, 1, 5, 6))


def penalty(claimed: Claimed) -> Iterator[Found]:
    """A critic whose gradient has norm 1 at each sample has no penalty; that of norm 3 is four times that of norm 2."""
    if not claimed.has("critic") or claimed.text.claims(r"\br ?1\b|\br ?2\b|zero.?cent"):
        return
    for size in _IMAGES:
        data = {"real": torch.ones(size).double(), "fake": torch.zeros(size).double()}
        costs = {norm: claimed.total(critic=Linear(norm), **data) for norm in (1.0, 2.0, 3.0)}
        if not all(map(math.isfinite, costs.values())):
            continue
        given = {"critic": Linear(1.0), **data}
        if costs[1.0] > 1e-3 * max(costs[3.0], 1e-9):
            yield claimed.found(
                f"a critic whose gradient has norm 1 at each sample of {size} has a penalty: the norm is not that of a "
                "whole sample",
                {"norm 1": costs[1.0], "norm 2": costs[2.0], "norm 3": costs[3.0]},
                "grads.flatten(1).norm(2, dim=1), then ((norm - 1) ** 2).mean()",
                given,
            )
        elif costs[2.0] > 0 and not near(costs[3.0] / costs[2.0], 4.0, 0.02):
            yield claimed.found(
                f"the penalty of norm 3 is {costs[3.0] / costs[2.0]:.3g} times that of norm 2, not 4 times",
                {"norm 2": costs[2.0], "norm 3": costs[3.0]},
                "((norm - 1) ** 2).mean()",
                {**given, "critic": Linear(2.0)},
            )
        return


GRADIENTS = Role("gradients", r"(gradients?|grads?)(_\w+)?")


def norm_of_sample(claimed: Claimed) -> Iterator[Found]:
    """The penalty of given gradients depends on the norm of each whole sample, wherever its numbers are."""
    if claimed.text.claims(
        r"per.?(pixel|location|channel|position|token)|each (pixel|location|channel|position|token)"
    ):
        return
    for size in _IMAGES[::2]:
        grads = torch.zeros(size).double()
        grads[..., :2] = 1.0
        packed = grads.flatten(1).sort(dim=1, descending=True).values.reshape(size)
        costs = [claimed.total(gradients=each) for each in (grads, packed)]
        if not all(map(math.isfinite, costs)):
            continue
        if not near(*costs):
            yield claimed.found(
                f"moving the numbers of a sample of {size} changes the penalty: the norm is not that of a whole sample",
                {"value": costs[0], "with the same numbers moved": costs[1]},
                "grads.flatten(1).norm(2, dim=1), then ((norm - 1) ** 2).mean()",
                {"gradients": grads},
            )
        return


_GAN = (
    r"\bgan\b|\bw ?gan\b|\bls ?gan|adversarial|critic|hinge.*(real|fake)|discriminator|generator|relativistic|"
    r"wasserstein"
)
CLAIMS = (
    Claim("GAN loss with a mode", _GAN, (SCORES, MODE_, PLAYER), (by_mode,), unless="penalty"),
    Claim("hinge loss of a GAN", r"hinge", (FAKE, REAL, MODE_), (hinge_margin,), unless="penalty|dcgan|ls ?gan|bce"),
    Claim("GAN loss", _GAN, (FAKE, REAL, MODE_), (halves,), unless="penalty|feature match"),
    Claim("gradient penalty", r"gradient penalty|\bgp\b|wgan gp", (CRITIC, REAL_DATA, FAKE_DATA), (penalty,)),
    Claim("gradient penalty", r"gradient penalty|\bgp\b|wgan gp", (GRADIENTS,), (norm_of_sample,)),
)
