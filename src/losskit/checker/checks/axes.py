"""Axes: what a loss does along samples, height and width."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.tools import close, code, is_random, tried, value
from losskit.checker.finding import Found
from losskit.checker.listening import heard
from losskit.checker.subject import Subject


def along_axes(subject: Subject) -> Iterator[Found]:
    """What is wrong along the axes of a loss of numbers or of one tensor."""
    if subject.spec.layout == "alone":
        yield from _variation(subject)
    else:
        yield from _over_samples(subject)
        yield from _normalized_along_another(subject)
        yield from _no_cosine_of_rows(subject)
        yield from _viewed_without_permute(subject)
        yield from _one_axis(subject)
    yield from _square_alone(subject)


def _square_alone(subject: Subject) -> Iterator[Found]:
    """Whether height and width count alike in square images alone: a size is that of the other axis."""
    if len(subject.spec.spatial) != 2 or is_random(subject):
        return
    if subject.spec.layout == "alone" and not re.search(_OF_IMAGES, subject.words.all):
        return  # its last dimensions need not be a height and a width
    side = max(subject.spec.spatial)
    for seed in range(2):
        square = subject.example(seed, torch.float64, size=(side, side))
        if not _transposes(subject, square):
            return
    for size in ((side, side + side // 2), (side, 2 * side)):
        wide = subject.example(2, torch.float64, size=size)
        if tried(value, subject, *wide) is None or tried(value, subject, *_turned(wide)) is None:
            return
        if _transposes(subject, wide):
            return
    wide = tuple(each.float() for each in wide)
    yield Found(
        f"exchanging height and width changes the loss of an image of {size}, but not of a square one: the size of one "
        "axis is used for the other",
        {"value": value(subject, *wide), "height and width exchanged": value(subject, *_turned(wide))},
        code(subject, *wide),
        None,
        "height, width = x.shape[-2:]",
    )


_OF_IMAGES = r"image|\bimg|variation|\btv|\(\w+, ?\w+, ?h, ?w\)|pixel|smooth"


def _turned(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(each.transpose(-1, -2).contiguous() if each.dim() > 2 else each for each in tensors)


def _transposes(subject: Subject, tensors: tuple[Tensor, ...]) -> bool:
    """Whether exchanging height and width changes nothing."""
    costs = [tried(value, subject, *each) for each in (tensors, _turned(tensors))]
    return costs[0] is not None and costs[1] is not None and close(costs[0], costs[1], 1e-6, 1e-9)


def _over_samples(subject: Subject) -> Iterator[Found]:
    """Whether a softmax of the input itself runs over the samples."""
    tensors = subject.example(batch=4)
    shape = tensors[0].shape
    if tensors[0].dim() < 2 or shape[0] == shape[1]:
        return
    for call in heard(subject, *tensors):
        given, dim = call.given(0, "input"), call.given(1, "dim")
        if call.name in ("softmax", "log_softmax") and isinstance(given, Tensor) and dim == 0 and given.shape == shape:
            yield Found(
                f"{call.name} runs over dimension 0 of {tuple(shape)}: samples compete, not the scores of one sample",
                {"dim": 0},
                code(subject, *tensors),
            )
            return


def cosine_of_columns(subject: Subject) -> Iterator[Found]:
    """Whether a cosine of vectors, (N, D), runs over the samples."""
    tensors = subject.example(batch=5)
    if re.search(r"contrastive|siamese|triplet", subject.words.all):  # of batches of vectors, whatever shapes run
        tensors = tuple(
            torch.stack([t, t + 1, t + 2], 1) if t.dim() == 1 and t.is_floating_point() else t for t in tensors
        )
    shapes = [each.shape for each in tensors if each.is_floating_point() and each.dim() == 2 and each.shape[1] != 5]
    for call in heard(subject, *tensors):
        given, dim = call.tensors[:2], call.given(2, "dim", 1)
        if call.name == "cosine_similarity" and dim == 0 and all(each.shape in shapes for each in given):
            yield Found(
                f"cosine_similarity runs over dimension 0 of {tuple(given[0].shape)}: it compares columns, "
                "not the vectors of the samples",
                {"dim": 0},
                code(subject, *tensors),
                None,
                "cosine_similarity(..., dim=-1)",
            )
            return


def _normalized_along_another(subject: Subject) -> Iterator[Found]:
    """Whether vectors have length 1 along another dimension than that along which their product is summed."""
    tensors = subject.example(batch=4, size=(2, 5) if subject.spec.takes_spatial(2) else None)
    calls = heard(subject, *tensors)
    unit = [(call.made, call.given(2, "dim", 1) % call.made.dim()) for call in calls if call.name == "normalize"]
    products = [
        (call.made, dim)
        for call in calls
        if call.name in ("mul", "__mul__")
        for made, dim in unit
        if any(each is made for each in call.tensors)
    ]
    for call in calls:
        along = call.given(1, "dim")
        if call.name != "sum" or not isinstance(along, int):
            continue
        for made, dim in products:
            if call.given(0, "input") is made and along % made.dim() != dim:
                yield Found(
                    f"normalize runs along dimension {dim} of {tuple(made.shape)}, and the product of the vectors is "
                    f"summed along dimension {along % made.dim()}: it is no cosine",
                    {"normalized along": dim, "summed along": along % made.dim()},
                    code(subject, *tensors),
                    None,
                    "Give normalize and sum the same dim.",
                )
                return


_VECTORS = r"d|e|dim|\w+_dim|embed\w*|hidden\w*|feat\w*|channels?"  # names of a dimension that holds a vector


def _no_cosine_of_rows(subject: Subject) -> Iterator[Found]:
    """Whether a cosine of tensors documented as (B, N, D) runs along another dimension than D."""
    names = subject.parameters[:2]
    shapes = [subject.words.shapes.get(name, ()) for name in names]
    if len(shapes) != 2 or shapes[0] != shapes[1] or len(shapes[0]) < 3 or not subject.spec.two:
        return
    if re.fullmatch(_VECTORS, shapes[0][-1], re.IGNORECASE) is None:
        return
    last = len(shapes[0]) - 1
    generator = torch.Generator().manual_seed(0)
    tensors = tuple(torch.randn(*range(3, 4 + last), generator=generator) for _ in range(2))
    for call in heard(subject, *tensors) if tried(value, subject, *tensors) is not None else ():
        place = {"cosine_similarity": 2, "normalize": 2}.get(call.name)
        along = call.given(place, "dim", 1) if place else None
        if isinstance(along, int) and call.tensors and call.tensors[0].shape == tensors[0].shape:
            at = along % (last + 1)
            if at not in (0, last):
                yield Found(
                    f"{call.name} runs along dimension {at} of ({', '.join(shapes[0])}), not along the vectors of the "
                    "last dimension",
                    {"dim": at},
                    code(subject, *tensors),
                    None,
                    f"{call.name}(..., dim=-1)",
                )
                return


def _viewed_without_permute(subject: Subject) -> Iterator[Found]:
    """Whether a softmax runs over neighbouring numbers of (N, C, H, W), which a view took for the classes."""
    if not subject.spec.takes_spatial(2):
        return
    input, *others = subject.example(batch=4, size=(2, 5))
    channels = input.shape[1] if input.dim() == 4 else 0
    if channels < 2 or not any(call.name in ("softmax", "log_softmax") for call in heard(subject, input, *others)):
        return
    moved = input.clone()
    moved.view(-1)[:channels] += 1
    before, after = tried(value, subject, input, *others), tried(value, subject, moved, *others)
    if before is None or after is None or not close(before, after, 1e-6):
        return
    if not close(before, tried(value, subject, 2 * input, *others) or 0.0, 1e-4):
        yield Found(
            f"a softmax runs over {channels} neighbouring numbers of {tuple(input.shape)}, which are positions: a view "
            "took them for the classes of one",
            {"value": before, f"with 1 added to the first {channels} numbers": after},
            code(subject, input, *others),
            None,
            "x.permute(0, 2, 3, 1).reshape(-1, C), or a softmax over dimension 1 of (N, C, H, W).",
        )


_BOTH = r"height and width|width and height|horizontal\w* and vert|vertical\w* and horiz|both (axes|directions)"


def _one_axis(subject: Subject) -> Iterator[Found]:
    """Whether differences along height and width, as documented, both change the loss."""
    words = subject.words
    if not (len(subject.spec.spatial) == 2 and (words.say(_BOTH) or re.search("variation", words.all))):
        return
    _, target, *others = subject.example(correct=True, size=(16, 16))
    stripes = [0.5 * (torch.arange(16) % 2).reshape(size).expand_as(target) for size in ((16, 1), (1, 16))]
    given = [(target + each.to(target), target, *others) for each in stripes]
    costs = [value(subject, *each) - value(subject, target, target, *others) for each in given]
    if max(costs) > 1e-6 and min(costs) < 0.6 * max(costs):
        at = costs.index(min(costs))
        along = ("height", "width")[at]
        yield Found(
            f"errors along the {along} change the loss less than those along the other axis",
            {f"stripes along the {along}": costs[at], "along the other": max(costs)},
            code(subject, *given[at]),
            None,
            "One difference of [..., 1:, :] and one of [..., :, 1:].",
        )


def _variation(subject: Subject) -> Iterator[Found]:
    """Whether a total variation sees differences along both height and width."""
    if not any(word in subject.name.lower() for word in ("variation", "tv")):
        return  # its name may say that one of them is intended
    (input,) = subject.example()
    stripes = [torch.zeros_like(input) + torch.arange(n).reshape(size) % 2 for n, size in _along(input)]
    costs = [value(subject, each) for each in stripes]
    blind, seen = min(costs), max(costs)
    if seen > 1e-6 and abs(blind) < 1e-9:
        along = ("the height", "the width")[costs.index(blind)]
        yield Found(
            f"variation along {along} does not change the loss",
            {f"along {along}": blind, "along the other": seen},
            code(subject, stripes[costs.index(blind)]),
        )


def _along(input: Tensor) -> list[tuple[int, tuple[int, int]]]:
    """The number of positions along height and width, and the shape with one number for each."""
    height, width = input.shape[-2:]
    return [(height, (height, 1)), (width, (1, width))]
