"""Identities between losses, checked on random data when the pages are built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from losskit import build
from losskit.core.catalogue import find, names_of

Data = tuple[Tensor, ...]


class Identity(NamedTuple):
    """A statement about losses, and the largest relative difference found."""

    losses: tuple[str, ...]  # short names
    statement: str
    left: Callable[[], Tensor]
    right: Callable[[], Tensor]

    def difference(self) -> float:
        left, right = self.left(), self.right()
        found = float(((left - right).abs() / right.abs().clamp_min(1e-3)).max())
        if not found < 1e-6:  # a limit is approached to about this
            raise AssertionError(f"{self.statement}: differs by {found}")
        return found


def _random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _binary() -> Data:
    g = _random()
    return torch.randn(3, 1, 9, 9, generator=g).double() * 2, torch.randint(2, (3, 1, 9, 9), generator=g)


def _classes() -> Data:
    g = _random()
    return torch.randn(3, 4, 9, 9, generator=g).double() * 2, torch.randint(4, (3, 9, 9), generator=g)


def _numbers() -> Data:
    g = _random()
    return torch.randn(50, generator=g).double() * 2, torch.randn(50, generator=g).double() * 2


def _two_channels(data: Data) -> Data:
    """Binary logits as those of two classes."""
    input, target = data
    return torch.cat([torch.zeros_like(input), input], 1), target


def _loss(text: str, data: Data) -> Callable[[], Tensor]:
    return lambda: build(text)(*data).detach()


def _equal(left: str, right: str, data: Data, losses: tuple[str, ...], remark: str = "") -> Identity:
    return Identity(losses, f"``{left}`` is ``{right}``{remark}", _loss(left, data), _loss(right, data))


def _two_classes() -> Identity:
    input, target = _binary()
    both = torch.cat([torch.zeros_like(input), input], 1)
    return Identity(
        ("ce", "bce"),
        "``ce`` with two classes is ``bce`` of the difference of the logits",
        _loss("ce", (both, target)),
        _loss("bce", (input, target)),
    )


def _dice_and_iou() -> Identity:
    dice = build("dice(reduction='none')")(*_binary())
    return Identity(
        ("dice", "iou"),
        "for one region, ``iou`` is ``2 dice / (1 + dice)``",
        _loss("iou(reduction='none')", _binary()),
        lambda: 2 * dice / (1 + dice),
    )


def _two_class_region(name: str) -> Identity:
    input, target = _binary()
    both = torch.cat([torch.zeros_like(input), input], 1)
    return Identity(
        (name,),
        f"``{name}(classes=[1])`` with two classes is ``{name}`` of the difference of the logits",
        _loss(f"{name}(classes=[1])", (both, target)),
        _loss(name, (input, target)),
    )


def _log_probabilities() -> Identity:
    input, target = _classes()
    return Identity(
        ("nll", "ce"),
        "``nll`` of ``log_softmax(x)`` is ``ce`` of ``x``",
        _loss("nll", (input.log_softmax(1), target)),
        _loss("ce", (input, target)),
    )


def _gaussian() -> Identity:
    input, target = _numbers()
    return Identity(
        ("gaussian_nll", "mse"),
        "``gaussian_nll`` with variance 1 is ``0.5 * mse``",
        _loss("gaussian_nll", (input, target, torch.ones_like(input))),
        _loss("0.5 * mse", (input, target)),
    )


def _soft_margin() -> Identity:
    input, target = (t.flatten() for t in _binary())
    return Identity(
        ("soft_margin", "bce"),
        "``soft_margin`` with labels -1 and 1 is ``bce`` with labels 0 and 1",
        _loss("soft_margin", (input, 2 * target.double() - 1)),
        _loss("bce", (input, target)),
    )


def _hard_lovasz() -> Identity:
    certain = torch.nn.functional.one_hot(torch.randint(4, (3, 9, 9), generator=_random()), 4).movedim(-1, 1).double()
    target = _classes()[1]
    return Identity(
        ("lovasz", "iou"),
        "for hard predictions, ``lovasz`` is ``iou``",
        _loss("lovasz(from_logits=False)", (certain, target)),
        _loss("iou(from_logits=False)", (certain, target)),
    )


def _all() -> list[Identity]:
    binary, classes, numbers = _binary(), _classes(), _numbers()
    return [
        _equal("focal(gamma=0)", "bce", binary, ("focal", "bce"), ", for one channel"),
        _equal("focal(gamma=0)", "ce", classes, ("focal", "ce"), ", for class indices"),
        _equal("mean_focal(gamma=0, alpha=1)", "bce", binary, ("mean_focal",)),
        _equal("gce(q=1e-7)", "ce", classes, ("gce", "ce"), ", in the limit"),
        _equal("sce(alpha=1, beta=0)", "ce", classes, ("sce",)),
        _equal("tversky", "dice", binary, ("tversky", "dice")),
        _equal("tversky(smooth=0.5)", "dice(smooth=1)", binary, ("tversky", "dice")),
        _equal("tversky(alpha=1, beta=1)", "iou", binary, ("tversky", "iou")),
        _equal("focal_tversky(gamma=1)", "tversky", binary, ("focal_tversky",)),
        _dice_and_iou(),
        _equal(
            "noise_robust_dice(gamma=2)",
            "dice(squared=True)",
            binary,
            ("noise_robust_dice", "dice"),
            ", for hard labels",
        ),
        _equal("gdl_focal", "gdl + focal", binary, ("gdl_focal",)),
        _equal(
            "unified_focal(balance=0, gamma=0, delta=0.5)",
            "dice",
            _two_channels(binary),
            ("unified_focal",),
            ", for two classes",
        ),
        _equal(
            "gwdl(class_distances=[[0, 1], [1, 0]])",
            "dice(classes=[1])",
            _two_channels(binary),
            ("gwdl", "dice"),
            ", for two classes",
        ),
        _two_class_region("dice"),
        _two_class_region("iou"),
        _equal("dice_bce", "dice + bce", binary, ("dice_bce",)),
        _equal("dice_ce", "dice + ce", classes, ("dice_ce",)),
        _equal("dice_focal", "dice + focal", binary, ("dice_focal",)),
        _equal("combo(ce_ratio=1)", "0.5 * bce", binary, ("combo",)),
        _equal("combo(ce_ratio=0)", "dice", binary, ("combo",)),
        _equal("dice_cldice(alpha=0, smooth=0)", "dice", binary, ("dice_cldice", "dice")),
        _equal("dice_cldice(alpha=1)", "cldice", binary, ("dice_cldice", "cldice")),
        _two_class_region("boundary"),
        _two_class_region("hausdorff"),
        _hard_lovasz(),
        _two_classes(),
        _log_probabilities(),
        _equal("huber(delta=2.5)", "2.5 * smooth_l1(beta=2.5)", numbers, ("huber", "smooth_l1")),
        _equal("smooth_l1(beta=0)", "l1", numbers, ("smooth_l1", "l1")),
        _equal("huber(delta=1e9)", "0.5 * mse", numbers, ("huber", "mse"), ", for errors up to delta"),
        _gaussian(),
        _equal("robust(alpha=2)", "0.5 * mse", numbers, ("robust", "mse")),
        _equal("robust(alpha=0)", "cauchy", numbers, ("robust", "cauchy")),
        _equal("robust(alpha=-2)", "geman_mcclure", numbers, ("robust", "geman_mcclure")),
        _equal("2 * quantile(quantiles=0.5)", "l1", numbers, ("quantile", "l1")),
        _equal("2 * expectile(tau=0.5)", "mse", numbers, ("expectile", "mse")),
        _soft_margin(),
        _equal("seesaw(p=0, q=0)", "ce", classes, ("seesaw", "ce")),
        _equal("eql", "bce", binary, ("eql",), ", before the first training step"),
        _equal("ghm(bins=1)", "bce", binary, ("ghm",)),
    ]


_IDENTITIES = _all()


def of(cls: Any) -> list[Identity]:
    """The identities that involve a loss."""
    names = set(names_of(cls))
    return [identity for identity in _IDENTITIES if names & set(identity.losses)]


def check() -> None:
    """Check that every loss named above exists."""
    for identity in _IDENTITIES:
        for name in identity.losses:
            find(name)
