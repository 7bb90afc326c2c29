"""Boxes: IoU, GIoU, DIoU and CIoU losses."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from losskit.checker.checks.tools import BACKWARD, close, code, pull, tried, value
from losskit.checker.claims.aspects import aspect_is_constant
from losskit.checker.claims.fitting import equals
from losskit.checker.claims.geometry import FORMATS, Overlap, laid_out, losses_of, overlap_of
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_SAYS = (
    r"giou|diou|ciou|generali[sz]ed iou|distance iou|complete iou|bbox|bounding.?box|box_?iou|iou_?loss\b.*box|"
    r"\biou (for|of|between|over)\b[^.]{0,20}box"
)
_PAIRS = 24  # pairs of boxes, each in a call of its own, so that any reduction gives the loss of the pair


Formula = Callable[[Overlap], Tensor]  # what is subtracted from the IoU


def _complete(o: Overlap) -> Tensor:
    weight = o.aspect / (1 - o.iou + o.aspect).clamp_min(1e-12)
    return o.centres / o.diagonal + weight * o.aspect


_RIGHT: dict[str, Formula] = {
    "iou": lambda o: 0 * o.iou,
    "giou": lambda o: (o.hull - o.union) / o.hull,
    "diou": lambda o: o.centres / o.diagonal,
    "ciou": _complete,
}
_HULL = (
    "max of the lower right corners minus min of the upper left ones: enclosing = (x2.max - x1.min) * (y2.max - y1.min)"
)
_GIOU: tuple[tuple[str, str, Formula], ...] = (
    (
        "the enclosing area is compared with the intersection, not with the union",
        "giou = iou - (enclosing - union) / enclosing",
        lambda o: (o.hull - o.inter) / o.hull,
    ),
    (
        "the area outside the union is divided by the union, not by the enclosing area",
        "giou = iou - (enclosing - union) / enclosing",
        lambda o: (o.hull - o.union) / o.union,
    ),
    (
        "the penalty of the enclosing box has the wrong sign",
        "giou = iou - (...)",
        lambda o: (o.union - o.hull) / o.hull,
    ),
    (
        "the enclosing box is computed as the intersection is: max of the first corners and min of the last",
        _HULL,
        lambda o: (o.inter - o.union) / o.inter.clamp_min(1e-7),
    ),
    (
        "the enclosing box is computed as the intersection is: max of the first corners and min of the last",
        _HULL,
        lambda o: (o.within[0] * o.within[1] - o.union) / (o.within[0] * o.within[1]),
    ),
)
_DIOU: tuple[tuple[str, str, Formula], ...] = (
    (
        "the distance of the centres is not squared, its diagonal is",
        "rho2 / c2, both squared",
        lambda o: o.centres.sqrt() / o.diagonal,
    ),
    (
        "the squared distance of the centres is divided by a diagonal that is not squared",
        "rho2 / c2, both squared",
        lambda o: o.centres / o.diagonal.sqrt(),
    ),
    (
        "neither the distance of the centres nor the diagonal is squared",
        "rho2 / c2, both squared",
        lambda o: (o.centres / o.diagonal).sqrt(),
    ),
    (
        "the centres are sums of corners that are not halved, so their squared distance is 4 times too large",
        "center = (x1 + x2) / 2",
        lambda o: 4 * o.centres / o.diagonal,
    ),
    ("the distance of the centres has the wrong sign", "1 - iou + rho2 / c2", lambda o: -o.centres / o.diagonal),
    (
        "the squared distance is divided by the area of the enclosing box, not by its squared diagonal",
        "c2 = width ** 2 + height ** 2 of the enclosing box",
        lambda o: o.centres / o.hull,
    ),
)


def _ciou(aspect: Callable[[Overlap], Tensor], weight: Callable[[Overlap, Tensor], Tensor]) -> Formula:
    def formula(o: Overlap) -> Tensor:
        v = aspect(o)
        return o.centres / o.diagonal + weight(o, v) * v

    return formula


def _trade(o: Overlap, v: Tensor) -> Tensor:
    return v / (1 - o.iou + v).clamp_min(1e-12)


_CIOU: tuple[tuple[str, str, Formula], ...] = (
    (
        "the aspect term has no weight alpha",
        "alpha = v / (1 - iou + v)",
        _ciou(lambda o: o.aspect, lambda _, v: v * 0 + 1),
    ),
    (
        "alpha is v / (iou + v), not v / (1 - iou + v)",
        "alpha = v / (1 - iou + v)",
        _ciou(lambda o: o.aspect, lambda o, v: v / (o.iou + v).clamp_min(1e-12)),
    ),
    (
        "the difference of the angles is not squared",
        "v = 4 / pi ** 2 * (atan(w1 / h1) - atan(w2 / h2)) ** 2",
        _ciou(lambda o: 4 / math.pi**2 * o.angles, _trade),
    ),
    (
        "the factor of the aspect term is 4 / pi, not 4 / pi ** 2",
        "v = 4 / pi ** 2 * (...) ** 2",
        _ciou(lambda o: 4 / math.pi * o.angles**2, _trade),
    ),
    ("the aspect term is missing: it is the DIoU", "add alpha * v", _RIGHT["diou"]),
    (
        "the aspect term has the wrong sign",
        "1 - iou + rho2 / c2 + alpha * v",
        lambda o: 2 * o.centres / o.diagonal - _complete(o),
    ),
    *((what, fix, lambda o, f=f: f(o) + _complete(o) - o.centres / o.diagonal) for what, fix, f in _DIOU),
)
_MISTAKES = {"iou": (), "giou": _GIOU, "diou": _DIOU, "ciou": _CIOU}


def _kind(subject: Subject) -> str:
    """The kind of the loss by its name, otherwise by its documentation."""
    for text in (subject.name.lower(), subject.words.all, subject.words.code):
        for name, pattern in (
            ("ciou", r"c_?iou|complete.?iou"),
            ("diou", r"d_?iou\b|diou|distance.?iou"),
            ("giou", r"g_?iou|generali[sz]ed.?(iou|intersection)"),
        ):
            if re.search(pattern, text):
                return name
    return "iou"


def boxes_of(scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Pairs that overlap, lie apart and contain each other."""
    generator = torch.Generator().manual_seed(3)
    drawn = torch.rand(_PAIRS, 8, generator=generator, dtype=torch.float64)
    first, second = drawn[:, :4] * 4 + 1, drawn[:, 4:] * 4 + 1
    first[:8, :2], second[:8, :2] = 3 + drawn[:8, :2] * 0.5, 3 + drawn[:8, 2:4] * 0.5
    made = [torch.cat([each[:, :2], each[:, :2] + each[:, 2:]], 1) * scale for each in (first, second)]
    made[1][16:, :] += 3.0 * scale
    return made[0], made[1]


@kind(_SAYS, code=r"\b[gdc]iou\b|enclos|\bhull")
def boxes(subject: Subject) -> Iterator[Found]:
    if not subject.spec.two or subject.spec.labels or subject.spec.layout == "sides":
        return
    name = _kind(subject)
    a, b = boxes_of()
    yield from _equal_boxes(subject, a)
    read: list[tuple[str, list[float | None]]] = []
    for form in FORMATS:
        rows = [laid_out(each, form) for each in (a, b)]
        read.append((form, [tried(value, subject, one[None], other[None]) for one, other in zip(*rows, strict=True)]))
    right = _RIGHT[name](overlap_of(a, b))
    for form, found in read:
        if any(equals(found, each) for each in losses_of(overlap_of(a, b).iou, right)):
            yield from aspect_is_constant(subject, form, a, b) if name == "ciou" else ()
            return
    for form, found in read:
        for what, fix, formula in _wrong(name, a, b):
            if equals(found, formula):
                tensors = [laid_out(each, form)[20:21].float() for each in (a, b)]
                wanted = float((1 - overlap_of(a, b).iou + right)[20])
                numbers = {"value": value(subject, *tensors), f"1 - {_NAMES[name]}": wanted}
                yield Found(what, numbers, code(subject, *tensors), None, fix)
                return
    yield from _relations(subject, name)


def _equal_boxes(subject: Subject, boxes: Tensor) -> Iterator[Found]:
    """Whether the loss of boxes that are predicted exactly is finite, in the format in which others are."""
    forms = FORMATS[:1] if subject.spec.layout == "boxes" else FORMATS
    costs = [tried(value, subject, rows, rows) for rows in (laid_out(boxes, form)[:1] for form in forms)]
    if all(each is not None and each < -1e3 for each in costs):
        yield Found(
            f"the loss of a box that is predicted exactly is {costs[0]:.3g}: the intersection exceeds the union",
            {"value": costs[0]},
            code(subject, boxes[:1].float(), boxes[:1].float()),
            None,
            "Corners are the centre minus and plus half the size.",
        )
        return
    for form in forms:
        rows = laid_out(boxes, form)[:4].float()
        other = tried(value, subject, rows + 0.1, rows)
        same = tried(pull, subject, rows, rows.clone())
        if other is not None and math.isfinite(other) and same is not None and not same.finite:
            part = "value" if not same.value.isfinite() else "gradient"
            yield Found(
                f"the {part} is not finite for a box that is predicted exactly: 0 / 0",
                {"value": float(same.value), "for a box moved by 0.1": other},
                code(subject, rows[:1], rows[:1], lines=BACKWARD),
                None,
                "Add eps to the denominator, as in v / (1 - iou + v + eps).",
            )
            return


_NAMES = {"iou": "IoU", "giou": "GIoU", "diou": "DIoU", "ciou": "CIoU"}


def _wrong(name: str, a: Tensor, b: Tensor) -> Iterator[tuple[str, str, Tensor]]:
    """What is wrong, how to mend it, and the loss of each pair with this mistake."""
    plain = overlap_of(a, b)
    for what, fix, formula in _MISTAKES[name]:
        yield what, fix, 1 - plain.iou + formula(plain)
    for clamp, minus, what, fix in (
        (False, True, "the sides of the intersection are not clamped at 0", "(rb - lt).clamp(min=0)"),
        (True, False, "the union is the sum of both areas: the intersection is counted twice", "area1 + area2 - inter"),
    ):
        other = overlap_of(a, b, clamp, minus)
        for each in losses_of(other.iou, _RIGHT[name](other)):
            yield what, fix, each
        yield what, fix, 1 - other.iou + _RIGHT[name](plain)


_HALVED = r"2:4?\] ?/ ?2|\[(:|\.\.\.), ?[23]\] ?/ ?2"  # sizes beside centres
_CORNERS = r"xyxy|x1|corner|\bx2\b|tl\b|lt\b|top.?left|xmin|x_min|\bltrb"


def _relations(subject: Subject, name: str) -> Iterator[Found]:
    """What every loss of overlaps obeys, for boxes given by corners."""
    said = subject.words.all + subject.words.code
    if (
        not re.search(_CORNERS, said)
        or re.search(_HALVED, said)
        or re.search(r"cx|xywh|anchor|stride|weight|scale|normali[sz]|l1|huber", said)
    ):
        return
    a, b = (100 * each for each in boxes_of())
    near, far = (torch.cat([a[:4], a[:4] + n * 1000.0])[4:] for n in (1, 4))
    for one, other, what, fix in (
        ((a, b), (10 * a, 10 * b), "boxes 10 times as large have another loss", "Divide areas by areas."),
        ((a, b), (a + 700, b + 700), "boxes moved together have another loss", "Use differences of coordinates only."),
        ((a, b), (b, a), "exchanging prediction and target changes the loss", "The IoU is symmetric."),
    ):
        if name == "ciou" and other[0] is b:
            continue
        costs = tried(value, subject, *one), tried(value, subject, *other)
        if None not in costs and not close(costs[0], costs[1], 1e-3, 1e-3):  # type: ignore[arg-type]
            numbers = {"value": costs[1], "before": costs[0]}
            tensors = [each.float() for each in other]
            yield Found(f"{what}, which no {_NAMES[name]} has", numbers, code(subject, *tensors), None, fix)
            return
    if name != "iou":
        costs = tried(value, subject, a[:4], near), tried(value, subject, a[:4], far)
        slope = tried(pull, subject, near.float(), a[:4].float())
        if None not in costs and slope is not None and (costs[1] <= costs[0] or not slope.gradient.any()):  # type: ignore[operator]
            numbers = {"near": costs[0], "far": costs[1]}
            what = (
                f"disjoint boxes farther apart have no larger loss, which is what the penalty of {_NAMES[name]} is for"
            )
            yield Found(what, numbers, code(subject, near.float(), a[:4].float(), lines=BACKWARD))


_WRITTEN = (
    ("centres", r"\(cx, ?cy|cxcywh|center_?x|\(x_?c|cent(er|re) and size|\(cent(er|re)"),
    ("sizes", r"\(x, ?y, ?w, ?h\)|xywh|top.?left corner and"),
    ("corners", r"\(?x1, ?y1, ?x2, ?y2\)?|xyxy|x_?min, ?y_?min, ?x_?max"),
)


@kind(_SAYS + r"|\biou")
def documented_format(subject: Subject) -> Iterator[Found]:
    """Whether equal boxes of the documented format have the least loss, wherever they are."""
    if not subject.spec.two or subject.spec.labels:
        return
    form = next((form for form, pattern in _WRITTEN if re.search(pattern, subject.words.text.lower())), None)
    if form is None:
        return
    corners = torch.tensor([[20.0, 30.0, 26.0, 34.0]])
    boxes, moved = laid_out(corners, form), laid_out(corners + torch.tensor([2.0, 1.0, 2.0, 1.0]), form)
    costs = tried(value, subject, boxes, boxes), tried(value, subject, moved, boxes)
    if costs[0] is not None and costs[1] is not None and not costs[0] < costs[1] - 1e-6:
        yield Found(
            f"equal boxes in the documented format ({form}) have no smaller loss than boxes that overlap in part",
            {"equal": costs[0], "overlapping in part": costs[1]},
            code(subject, boxes, boxes),
            None,
            "Convert both boxes to corners first: x1 = x - w / 2 for centres, x2 = x1 + w.",
        )
