"""Losses of boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
from mpmath import asin, atan, exp, fprod, fsum, log, mpf, pi, sin, sqrt

from inputs import row
from number_inputs import boxes, rotated, volumes
from references import Authority, BatchFormula, Chosen, Peer


class Sides(NamedTuple):
    """One axis of two boxes: where each begins and ends."""

    a: mpf
    b: mpf
    c: mpf
    d: mpf

    @property
    def shared(self) -> mpf:
        return max(min(self.b, self.d) - max(self.a, self.c), mpf(0))

    @property
    def hull(self) -> mpf:
        return max(self.b, self.d) - min(self.a, self.c)

    @property
    def apart(self) -> mpf:
        return (self.a + self.b - self.c - self.d) / 2


def axes(x: Any, t: Any, o: Chosen) -> list[Sides]:
    """The axes of one pair of boxes."""

    def ends(box: Any, k: int) -> tuple[mpf, mpf]:
        first, last = box[k], box[k + len(box) // 2]
        return {
            "xyxy": (first, last),
            "xywh": (first, first + last),
            "cxcywh": (first - last / 2, first + last / 2),
        }[o("format")]

    return [Sides(*ends(x, k), *ends(t, k)) for k in range(len(x) // 2)]


def iou(pair: list[Sides]) -> mpf:
    shared = fprod(s.shared for s in pair)
    return shared / (fprod(s.b - s.a for s in pair) + fprod(s.d - s.c for s in pair) - shared)


def distance(pair: list[Sides]) -> mpf:
    return fsum(s.apart**2 for s in pair) / fsum(s.hull**2 for s in pair)


def giou(pair: list[Sides]) -> mpf:
    shared = fprod(s.shared for s in pair)
    union = fprod(s.b - s.a for s in pair) + fprod(s.d - s.c for s in pair) - shared
    return 2 - shared / union - union / fprod(s.hull for s in pair)


def ciou(pair: list[Sides], stopped: list[Sides]) -> mpf:
    def turn(of: list[Sides]) -> mpf:
        (w, h), (w_t, h_t) = ((s.b - s.a for s in of), (s.d - s.c for s in of))
        return 4 / pi**2 * (atan(w_t / h_t) - atan(w / h)) ** 2

    factor = turn(stopped) / (1 - iou(stopped) + turn(stopped))
    return 1 - iou(pair) + distance(pair) + factor * turn(pair)


def eiou(pair: list[Sides]) -> mpf:
    sizes = fsum(((s.b - s.a) - (s.d - s.c)) ** 2 / s.hull**2 for s in pair)
    return 1 - iou(pair) + distance(pair) + sizes


def siou(pair: list[Sides], o: Chosen) -> mpf:
    """The angle cost by sine and arcsine, as in the paper."""
    dx, dy = (abs(s.apart) for s in pair)
    angle = 1 - 2 * sin(asin(dy / sqrt(dx**2 + dy**2)) - pi / 4) ** 2
    far = fsum(1 - exp(-(2 - angle) * (s.apart / s.hull) ** 2) for s in pair)
    uneven = [abs((s.b - s.a) - (s.d - s.c)) / max(s.b - s.a, s.d - s.c) for s in pair]
    return 1 - iou(pair) + (far + fsum((1 - exp(-u)) ** o.theta for u in uneven)) / 2


def wiou(pair: list[Sides], stopped: list[Sides]) -> mpf:
    return (1 - iou(pair)) * exp(fsum(s.apart**2 for s in pair) / fsum(s.hull**2 for s in stopped))


def wasserstein(pair: list[Sides], o: Chosen) -> mpf:
    square = fsum(s.apart**2 + ((s.b - s.a) / 2 - (s.d - s.c) / 2) ** 2 for s in pair)
    return 1 - exp(-sqrt(square) / o.constant)


def mpdiou(pair: list[Sides], o: Chosen) -> mpf:
    corners = fsum((s.a - s.c) ** 2 + (s.b - s.d) ** 2 for s in pair)
    return 1 - iou(pair) + corners / fsum(mpf(size) ** 2 for size in o.image_size)


def prob_iou(x: Any, t: Any, o: Chosen) -> Any:
    """From the Gaussians' covariance matrices."""

    def gaussian(box: Any) -> tuple[Any, Any]:
        turn = mp.matrix([[mp.cos(box[4]), -mp.sin(box[4])], [mp.sin(box[4]), mp.cos(box[4])]])
        return mp.matrix(list(box[:2])), turn * mp.diag([box[2] ** 2 / 12, box[3] ** 2 / 12]) * turn.T

    found = []
    for a, b in zip(x, t, strict=True):
        (m, s), (n, r) = gaussian(a), gaussian(b)
        middle = (s + r) / 2
        root = sqrt(mp.det(s) * mp.det(r))
        far = ((m - n).T * middle**-1 * (m - n))[0] / 8 + log(mp.det(middle) / root) / 2
        found.append(sqrt(1 - exp(-far)))
    return np.asarray(found, object)


def each(of: Callable[[list[Sides], Chosen], mpf], **fields: Any) -> BatchFormula:
    """A formula of one pair of boxes."""

    def values(x: Any, t: Any, o: Chosen) -> Any:
        return np.asarray([of(axes(a, b, o), o) for a, b in zip(x, t, strict=True)], object)

    return BatchFormula(values, **fields)


def each_with_stop(of: Callable[[list[Sides], list[Sides]], mpf]) -> BatchFormula:
    def values(x: Any, t: Any, x_at: Any, t_at: Any, o: Chosen) -> Any:
        rows = zip(x, t, x_at, t_at, strict=True)
        return np.asarray([of(axes(a, b, o), axes(c, d, o)) for a, b, c, d in rows], object)

    return BatchFormula(values, stops=True)


def torchvision(name: str, **fields: Any) -> Peer:
    return Peer(f"torchvision.ops.{name}", always={"eps": 0.0}, kinds=("boxes",), **fields)


AUTHORITIES: dict[str, list[Authority]] = {
    "box_iou_loss": [each(lambda p, o: -log(iou(p)) if o("log") else 1 - iou(p))],
    "giou_loss": [torchvision("generalized_box_iou_loss"), each(lambda p, o: giou(p))],
    "diou_loss": [torchvision("distance_box_iou_loss"), each(lambda p, o: 1 - iou(p) + distance(p))],
    "ciou_loss": [
        torchvision("complete_box_iou_loss", tolerance=1e-6),  # which adds 1e-7 whatever its eps is
        each_with_stop(ciou),
    ],
    "eiou_loss": [each(lambda p, o: eiou(p))],
    "siou_loss": [each(siou)],
    "alpha_iou_loss": [each(lambda p, o: 1 - iou(p) ** o.alpha)],
    "wiou_loss": [each_with_stop(wiou)],
    "wasserstein_box_loss": [each(wasserstein)],
    "mpdiou_loss": [each(mpdiou)],
    "prob_iou_loss": [BatchFormula(prob_iou, tolerance=1e-9)],  # of the square root of a small difference
}

BOXES = {"along": 0, "differentiable": (0, 1), "smooth": False, "waves": False}
BOTH = [row("boxes", boxes, **BOXES), row("volumes", volumes, **BOXES)]
PLAIN = ("eiou_loss", "siou_loss", "alpha_iou_loss", "wasserstein_box_loss")
INPUTS = {
    **dict.fromkeys(("box_iou_loss", "giou_loss", "diou_loss"), BOTH),
    **{name: [row("boxes", boxes, **BOXES)] for name in PLAIN},
    **{name: [row("boxes", boxes, stops=True, **BOXES)] for name in ("ciou_loss", "wiou_loss")},
    "mpdiou_loss": [row("boxes", boxes, options={"image_size": [5.0, 3.0]}, **BOXES)],
    "prob_iou_loss": [row("rotated", rotated, **BOXES)],
}
