"""Losses of borders and distances."""

from __future__ import annotations

from typing import Any

import mpmath as mp
from mpmath import mpf

from inputs import LABELS, images
from maps import Map, maps, neighbours, steps, to_other_side
from peers import SINGLE
from references import Authority, ByHand, Chosen, Peer


def boundary(m: Map, o: Chosen) -> mpf:
    spacing = steps(o, m.p.ndim)
    inside = {i: m.t[i] > mpf(1) / 2 for i in m.places}
    distance = to_other_side(inside, spacing)

    def signed(i: Any) -> mpf:
        return min(spacing) - distance[i] if inside[i] and distance[i] else distance[i]

    return m.mean(lambda i: m.p[i] * signed(i))


def hausdorff(m: Map, o: Chosen) -> mpf:
    spacing, half = steps(o, m.p.ndim), mpf(1) / 2
    of_p, of_t = (to_other_side({i: a[i] > half for i in m.places}, spacing) for a in (m.p, m.t))
    error = {i: m.q[i] if m.t[i] == 1 else m.p[i] - m.t[i] for i in m.places}
    value = m.mean(lambda i: error[i] ** 2 * (of_p[i] ** o.alpha + of_t[i] ** o.alpha))
    return mp.log1p(value) if o.log else value


def erosion(m: Map, o: Chosen) -> mpf:
    shape, half = m.p.shape, mpf(1) / 2
    map = {i: (m.q[i] if m.t[i] == 1 else m.p[i] - m.t[i]) ** 2 for i in m.places}
    total = dict.fromkeys(map, mpf(0))
    for k in range(1, o.iterations + 1):
        means = {i: mp.fsum([map[i], *(map[j] for j in neighbours(i, shape))]) / (2 * len(shape) + 1) for i in m.places}
        map = {i: max(mean - half, mpf(0)) if m.w[i] else mpf(0) for i, mean in means.items()}
        counted = [map[i] for i in m.places if m.w[i]]
        least, most = min(counted), max(counted)
        if most > least:
            map = {i: (v - least) / (most - least) if m.w[i] else mpf(0) for i, v in map.items()}
        total = {i: total[i] + mpf(k) ** o.alpha * map[i] for i in m.places}
    return m.mean(lambda i: total[i])


def in_plane(theirs: Any, x: Any, t: Any) -> Any:
    """Theirs takes two or three spatial dimensions, and class indices with a channel."""
    x = x.unsqueeze(2) if x.dim() == 3 else x
    t = t.reshape(t.shape[0], -1, *x.shape[2:])
    value = theirs(x, t)
    return value.flatten(1) if value.dim() else value


def monai(name: str, settings: list[Any], **fields: Any) -> list[Authority]:
    """A loss of MONAI: of yes and no by the sigmoid, of class indices by the softmax; its distances are in float32."""
    links = {("binary", "multilabel"): {"sigmoid": True}, ("indices",): {"softmax": True, "to_onehot_y": True}}
    return [
        Peer(
            f"monai.losses.{name}",
            [({"absent": "formula", **ours}, theirs) for ours, theirs in settings],
            call=in_plane,
            always={**link, "include_background": True},
            kinds=kinds,
            tolerance=SINGLE,
            **fields,
        )
        for kinds, link in links.items()
    ]


SPACINGS = ({"spacing": 0.5}, {"spacing": 2.0})

AUTHORITIES: dict[str, list[Authority]] = {
    "boundary_loss": [*monai("BoundaryLoss", [({}, {})]), maps(boundary, SPACINGS)],
    "hausdorff_loss": [
        *monai("HausdorffDTLoss", [({}, {}), ({"alpha": 1.5}, {"alpha": 1.5})]),
        *monai("LogHausdorffDTLoss", [({"log": True}, {})], reductions=("none",)),
        maps(hausdorff, (*SPACINGS, {"log": True, "alpha": 1.0})),
    ],
    "erosion_hausdorff_loss": [
        maps(erosion, ({"iterations": 3, "alpha": 1.0},)),
        ByHand(
            ([[[-1e4] * 5]], [[[1.0] * 5]]),
            19 / 15,
            options={"iterations": 2, "alpha": 1.0},
            working="Five wrong positions in a line. Means of three are 2/3, 1, 1, 1, 2/3; less 1/2 and stretched, 0, "
            "1, 1, 1, 0. Their means are 1/3, 2/3, 1, 2/3, 1/3; less 1/2 and stretched, 0, 1/3, 1, 1/3, 0. The sum of "
            "these and twice those is 3 and 10/3, 19/3, over 5 positions.",
        ),
    ],
}

INPUTS = {
    "boundary_loss": images(*LABELS, hard=True),
    "hausdorff_loss": images(*LABELS, smooth=False),
    "erosion_hausdorff_loss": images(
        "binary", "multilabel", "indices", scale=6.0, waves=False, smooth=False
    ),  # what survives an erosion are large errors
}
