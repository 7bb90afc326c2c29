"""Losses of regions."""

from __future__ import annotations

from typing import Any

import mpmath as mp
from mpmath import mpf

from formulas import Region, region
from references import Authority, Chosen, Peer


def smooth(value: float) -> dict[str, float]:
    return {"smooth_nr": value, "smooth_dr": value}


def of_logits(theirs: Any, x: Any, t: Any) -> Any:
    """MONAI's "none" keeps spatial sizes of 1, and its class indices have a channel."""
    value = theirs(x, t if t.shape == x.shape else t.unsqueeze(1))
    if value.dim() and getattr(theirs, "batch", False):
        return value.flatten()
    return value.flatten(2).squeeze(2) if value.dim() > 2 else value


def monai(
    name: str,
    settings: list[Any],
    kinds: tuple[str, ...] = ("binary", "multilabel", "indices"),
    tolerance: float = 1e-11,
    reductions: tuple[str, ...] = ("mean", "sum", "none"),
    note: str = "",
    **always: Any,
) -> list[Authority]:
    """A loss of MONAI: of yes and no by the sigmoid, of class indices by the softmax."""
    by_link = {"sigmoid": ("binary", "multilabel"), "softmax": ("indices",)}
    links = {"sigmoid": {"sigmoid": True}, "softmax": {"softmax": True, "to_onehot_y": True}}
    return [
        Peer(
            f"monai.losses.{name}",
            settings,
            call=of_logits,
            always={**links[link], **always},
            kinds=tuple(kind for kind in of_link if kind in kinds),
            tolerance=tolerance,
            reductions=reductions,
            note=note,
        )
        for link, of_link in by_link.items()
        if set(of_link) & set(kinds)
    ]


def dice(r: Region, o: Chosen) -> mpf:
    size = r.pp + r.tt if o("squared") else r.p + r.t
    score = (2 * r.pt + o("smooth")) / (size + o("smooth"))
    return -mp.log(score) if o("log") else 1 - score


def jaccard(r: Region, o: Chosen) -> mpf:
    return 1 - (r.pt + o("smooth")) / (r.p + r.t - r.pt + o("smooth"))


def tversky(r: Region, o: Chosen) -> mpf:
    part = r.pt + o("smooth")
    whole = part + o("alpha") * (r.p - r.pt) + o("beta") * (r.t - r.pt)
    return 1 - part / whole if whole else mpf(0)  # no overlap, and errors that have no price


WITH_LOG = ({"log": True, "smooth": 1.0}, {"squared": True}, {"smooth": 0.6})
DICE = region(dice, settings=WITH_LOG)
PRICES = [
    ({"absent": "formula", "smooth": 1.0}, smooth(1.0)),
    ({"absent": "formula", "alpha": 0.9, "beta": 0.1, "smooth": 0.3}, {"alpha": 0.9, "beta": 0.1, **smooth(0.3)}),
]

AUTHORITIES: dict[str, list[Authority]] = {
    "dice_loss": [
        *monai(
            "DiceLoss",
            [
                ({"absent": "formula", "smooth": 0.3}, smooth(0.3)),
                ({"absent": "formula", "smooth": 0.3, "pool": "batch"}, {**smooth(0.3), "batch": True}),
            ],
        ),
        DICE,
    ],
    "jaccard_loss": [
        *monai("DiceLoss", [({"absent": "formula", "smooth": 0.15}, smooth(0.3))], jaccard=True),
        region(jaccard),
    ],
    "tversky_loss": [*monai("TverskyLoss", PRICES), region(tversky)],
    "focal_tversky_loss": [
        Peer(  # of several classes it raises the mean to the power
            "segmentation_models_pytorch.losses.TverskyLoss",
            [
                (
                    {"pool": "batch", "alpha": 0.3, "beta": 0.7, "gamma": gamma},
                    {"alpha": 0.3, "beta": 0.7, "gamma": gamma},
                )
                for gamma in (0.75, 2.0)
            ],
            always={"mode": "binary"},
            kinds=("binary",),
            note="of one class",
            takes_reduction=False,
            reductions=("mean",),
        ),
        region(lambda r, o: max(tversky(r, o), mpf(0)) ** mpf(o("gamma"))),
    ],
}
