"""The form of an example itself: tensors with its shapes and ranges, if the loss fits no known form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from losskit.checker import examples, several
from losskit.checker.calling import MODELS_OUT, NUMBER, Extra
from losskit.checker.search import MORE, leads
from losskit.checker.trees import tree_of
from losskit.checker.trial import Form, Trial
from losskit.checker.uses import CONSTANT, MODE, MODEL, NORMAL
from losskit.checker.wraps import Wrap

if TYPE_CHECKING:
    from losskit.checker.probe import Chosen, Probe
    from losskit.checker.shown import Shown

_LARGEST = 32  # longer dimensions are shortened first
_IGNORED = (-100, 255)  # labels that are left out


def as_shown(probe: Probe) -> Chosen | None:
    """Tensors like those of the example, of any number of samples if the loss takes them."""
    if probe.shown is None:
        return None
    names, tensors, extras, wraps = _parts(probe, probe.shown)
    if not tensors:
        return None
    inside = any(each.sort == MODEL for each in extras)
    way = probe.way(inside=inside, wraps=tuple(replace(wrap, at=wrap.at + inside) for wrap in wraps))
    for written in _layouts(tensors):
        sorts = [each.split(":")[0] for each in written]
        for lead in (0,) if inside else leads(names, sorts):
            parts = ["weights:6", *written] if inside else [written[lead], *written[:lead], *written[lead + 1 :]]
            form = Form("penalty", "values", f"{several.SEVERAL} {';'.join(parts)}")
            for out in MODELS_OUT if inside else (1,):
                given = tuple(replace(each, value=out) if each.sort == MODEL else each for each in extras)
                trial = Trial(probe.origin, replace(way, lead=lead, extras=given), probe.classes, ())
                if _runs(trial, form):
                    return form, (), trial, [], ["the example shows the shapes and ranges of its tensors"]
    return None


def _runs(trial: Trial, form: Form) -> bool:
    """Whether the loss returns numbers for tensors of a form and for more samples, and has a gradient."""
    draw = trial.draw(form, None, 1.0, 0)
    made = examples.make(*form.key, draw)
    if not math.isfinite(trial.value(*examples.make(*form.key, replace(draw, samples=MORE)))):
        return False
    return math.isfinite(trial.value(*made)) and bool(trial.slope(*made).any())


def _parts(probe: Probe, shown: Shown) -> tuple[list[str], list[Tensor], list[Extra], list[Wrap]]:
    """The names and the tensors of the example, its arguments that are no tensors, and those that contain some."""
    names: list[str] = []
    tensors: list[Tensor] = []
    extras: list[Extra] = []
    wraps: list[Wrap] = []
    place = 0
    for at, name in enumerate(probe.required):
        value, use = shown.arguments.get(name), probe.uses.get(name)
        if use is not None and use.sort in (MODEL, MODE, CONSTANT):
            sort, first = (MODEL, None) if use.sort == MODEL else (NUMBER, use.values[0])
            extras.append(Extra(name, at, sort=sort, value=first))
            continue
        if use is not None and use.sort == NORMAL:
            wraps.append(Wrap(place, NORMAL))
            names, tensors = [*names, name], [*tensors, value.loc]  # type: ignore[union-attr]
        else:
            tree, held = tree_of(value)
            if not tree.tensor:
                wraps.append(Wrap(place, "tree", count=len(held), star=bool(use and use.star), tree=tree))
            names += [f"{name}_{path}".strip("_") for path in tree.paths()]
            tensors += held
        place += 1
    return names, tensors, extras, wraps


def _layouts(tensors: list[Tensor]) -> Iterator[list[str]]:
    """What each tensor is, and its sizes: with any number of samples, then with that of the example."""
    samples = next((each.shape[0] for each in tensors if each.dim()), 0)
    kinds = [_sort(each) for each in tensors]
    tried = []
    for most in (_LARGEST, max((n for each in tensors for n in each.shape), default=1)):
        for free in (True, False):
            sizes = [_sizes(each, samples if free else 0, most) for each in tensors]
            parts = [f"{sort}:{','.join(own)}" for sort, own in zip(kinds, sizes, strict=True)]
            if parts not in tried:
                tried.append(parts)
                yield parts


def _sizes(tensor: Tensor, samples: int, most: int) -> list[str]:
    sizes = [str(min(n, most)) for n in tensor.shape]
    return ["N", *sizes[1:]] if samples and tensor.dim() and tensor.shape[0] == samples else sizes


def _sort(tensor: Tensor) -> str:
    """What the numbers of a tensor are, by those of the example."""
    if tensor.dtype == torch.bool:
        return "boolean"
    known = tensor[torch.isfinite(tensor)].double()
    if not known.numel():
        return "number"
    if not tensor.is_floating_point():
        kept = known[~sum(known == each for each in _IGNORED).bool()]  # type: ignore[union-attr]
        return f"from{int(kept.min())}to{int(kept.max())}" if kept.numel() else "index"
    if known.numel() > 1 and bool((known * (known - 1) == 0).all()):
        return "flag"
    if known.numel() > 1 and bool((known.abs() == 1).all()):
        return "sign"
    rows = tensor.dim() > 1 and tensor.shape[-1] == 4 and len(tensor) > 3
    if rows and bool((tensor[..., 2:] > tensor[..., :2]).all()):
        return "corners"
    if bool((known < 0).any()):
        return "number" if bool((known > 0).any()) else "negative"
    if tensor.dim() > 1 and tensor.shape[-1] > 1 and bool(((tensor.sum(-1) - 1).abs() < 1e-4).all()):
        return "shares"
    return "share" if bool((known <= 1).all()) else "positive"
