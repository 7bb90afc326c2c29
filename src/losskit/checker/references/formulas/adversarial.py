"""Adversarial losses: scores that a critic gives to real and generated samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Formula, Given, Pick, real, reference

REAL = r"(\w*_)?real(_\w+)?|r_\w+|\w+_r|d_x|dx|pos\w*|d_?real\w*|real\w*|y_real"
FAKE = r"(\w*_)?(fake|gen\w*|synth\w*)(_\w+)?|f_\w+|\w+_f|d_?g_?z\w*|neg\w*|d_?fake\w*|logits|scores?|pred|dgz|y_fake"
# Other losses of the name "hinge".
NO_CRITIC = r"relativ|rank|triplet|lov[aá]sz|multi ?(class|margin|label)|svm|pair|embed|squared"
BOTH = {"real": REAL, "fake": FAKE}


def scores(seed: int) -> dict[str, Any]:
    return {"real": 1.5 * real(seed, 6), "fake": 1.5 * real(seed + 1, 6)}


def maps(seed: int) -> dict[str, Any]:
    return {"real": 1.5 * real(seed, 3, 1), "fake": 1.5 * real(seed + 1, 3, 1)}


def two(said: str, named: str, unless: str = "$^") -> Callable[[Formula], Formula]:
    """Register the loss of a critic."""
    return reference(said, named, BOTH, scores, maps, unless=rf"penalty|\br1\b|{unless}", by_name=True)


def generated(said: str, named: str, unless: str = "$^") -> Callable[[Formula], Formula]:
    """Register the loss of a generator."""
    lone = {"fake": FAKE + r"|x|d_?out\w*|out\w*"}
    return reference(
        said,
        named,
        lone,
        *(lambda s, d=d: {"fake": d(s)["fake"]} for d in (scores, maps)),
        unless=rf"penalty|disc|critic loss|{unless}",
    )


def halves(a: Tensor, b: Tensor) -> Tensor:
    return a.mean() + b.mean()


@two("the hinge loss of a critic", r"hinge", unless=NO_CRITIC)
def hinge(g: Given, pick: Pick) -> Any:
    if g.names["real"] in {name.lower() for name in g.settings}:
        return g.fake.sum() * math.nan  # without the real scores it is the loss of a generator
    return hinges(g)


def hinges(g: Given) -> Tensor:
    return halves(F.relu(1 - g.real), F.relu(1 + g.fake))


@reference(
    "the hinge losses of a critic and a generator",
    r"hinge",
    BOTH,
    lambda s: {"fake": scores(s)["fake"]},
    scores,
    unless=rf"penalty|\br1\b|{NO_CRITIC}",
    by_name=True,
    every=True,
)
def hinge_of_both(g: Given, pick: Pick) -> Any:
    return hinges(g) if g.has("real") else -g.fake.mean()


@two("the least-squares loss of a critic", r"ls ?gan|least ?squares", unless=r"relativ")
def least_squares(g: Given, pick: Pick) -> Any:
    low = pick(0.0, -1.0)
    return halves((g.real - 1).square(), (g.fake - low).square())


@two("the Wasserstein loss of a critic", r"wgan|wasserstein", unless=r"sinkhorn|distance of")
def wasserstein(g: Given, pick: Pick) -> Any:
    return g.fake.mean() - g.real.mean()


@two(
    "the cross entropy of a critic",
    r"(bce|vanilla|standard|non ?saturating|logistic|ns) ?(gan|disc)|discriminator|\bgan d\b|\bd loss",
    unless=r"hinge|ls ?gan|wgan|wasserstein|relativ|ragan|least|hifi|feature|patch|energy|ebgan",
)
def vanilla(g: Given, pick: Pick) -> Any:
    if pick(True, False):
        return halves(F.softplus(-g.real), F.softplus(g.fake))
    return pick(halves((g.real - 1).square(), g.fake.square()), halves(F.relu(1 - g.real), F.relu(1 + g.fake)))


@two("the loss of a relativistic average critic", r"ra ?gan|relativistic average|ralsgan|rahinge")
def relativistic(g: Given, pick: Pick) -> Any:
    a, b = g.real - g.fake.mean(), g.fake - g.real.mean()
    a, b = (a, b) if pick(True, False) else (-a, -b)  # of the critic, or of the generator
    kind = pick("log", "square", "hinge")
    if kind == "log":
        return halves(F.softplus(-a), F.softplus(b))
    return halves((a - 1).square(), (b + 1).square()) if kind == "square" else halves(F.relu(1 - a), F.relu(1 + b))


@generated(
    "the loss of a generator",
    r"(gen|generator|\bg)\b.*(loss|hinge|gan|adv)|(hinge|wgan|adversarial|gan).*(gen|generator|\bg)\b",
    unless=r"ls ?gan|least|hifi|feature|\bmel\b",
)
def generator(g: Given, pick: Pick) -> Any:
    return pick(-g.fake.mean(), F.softplus(-g.fake).mean(), (g.fake - 1).square().mean())


@generated(
    "the least-squares loss of a generator",
    r"(ls ?gan|least ?squares).*(gen|generator|\bg)\b|(gen|generator|\bg)\b.*(ls ?gan|least)",
    unless=r"feature|\bmel\b",
)
def least_squares_generator(g: Given, pick: Pick) -> Any:
    return (g.fake - 1).square().mean()


def _parts(flag: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(lambda s, v=v: {"x": 1.5 * real(s, 6), flag: v} for v in values)


SCORES = r"x|pred\w*|scores?|out\w*|logits?|inputs?|disc\w*_out\w*|d_out\w*|d_?pred\w*|prediction\w*"
IS_REAL = r"(target_)?is_real|real|target\w*|label"
FOR_CRITIC = r"(for|is)_?(disc\w*|d)|train_d|disc\w*"


@reference(
    "the hinge loss of a generative adversarial network",
    r"hinge",
    {"x": SCORES, "is_real": IS_REAL, "critic": FOR_CRITIC},
    lambda s: {"x": 1.5 * real(s, 6), "is_real": True, "critic": True},
    lambda s: {"x": 1.5 * real(s, 6), "is_real": False, "critic": True},
    lambda s: {"x": 1.5 * real(s, 6), "is_real": True, "critic": False},
    optional=("critic",),
    unless=NO_CRITIC,
    every=True,
    free=True,
)
def hinge_with_flags(g: Given, pick: Pick) -> Any:
    if not (g.critic if g.has("critic") else True):
        return -g.x.mean()
    return F.relu(1 - g.x if g.is_real else 1 + g.x).mean()


@reference(
    "the hinge loss of a generative adversarial network",
    r"hinge",
    {"x": SCORES, "mode": r"mode|kind|which|role|phase|target"},
    *_parts("mode", ("real", "fake", "gen", "generator", "g", "d_real", "d_fake")),
    unless=NO_CRITIC,
    every=True,
    free=True,
)
def hinge_with_mode(g: Given, pick: Pick) -> Any:
    if g.mode.startswith("g"):
        return -g.x.mean()
    return F.relu(1 - g.x if "real" in g.mode else 1 + g.x).mean()
