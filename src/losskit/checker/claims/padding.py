"""Padded batches: steps that a mask or a length leaves out change nothing, whatever they hold and however many."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from losskit.checker.calling import Extra
from losskit.checker.checks.tools import close, code, is_random, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.roles import masks_out
from losskit.checker.subject import Subject

_OF = (
    r"((response|loss|token|tokens|valid|pad|padding|attention|attn|seq|sequence|frame|step|time|obs|observed|"
    r"completion|action|src|tgt|target|label|labels|key_padding|mel|text)_?)*"
)
_MASK = re.compile(rf"{_OF}(masks?|valid)|pads?|padding|valid_\w+|(item|candidate|doc|document)s?_mask")
_LENGTHS = re.compile(r"(\w+_)?(len|lens|length|lengths)")
_TIME = re.compile(r"t|l|s|seq\w*|time\w*|frames?|steps?|\w*_?len(gth)?s?")
_OTHER_LENGTHS = r"prompt|prefix|context|source|\bsrc|history|left.?pad|shift|next.?token|causal|\bcrf\b|\bctc\b"
_PADDED = r"padding\b|pads?\b|padded (steps|positions|tokens|elements|length)|all (steps|positions|tokens)"
_FIXED = rf"(includ\w+|with|over|by|of) (the )?({_PADDED}|max\w* (len\w*|response|completion))"


@dataclass(frozen=True)
class Padded:
    """A batch of three sequences, the last step of which is padding in each."""

    subject: Subject
    tensors: tuple[Tensor, ...]
    other: tuple[Tensor, ...]  # the same with other numbers
    axes: tuple[int, ...]  # of the steps in each tensor; 0 if it has none
    left: Tensor  # (3, T), True for padding
    given: Mapping[str, Tensor] = field(default_factory=dict)  # a mask that is no tensor of the example

    def value(self, tensors: Sequence[Tensor], given: Mapping[str, Tensor]) -> float:
        found = tried(value, self.subject, *tensors, **given)
        return math.nan if found is None else found

    def filled(self, where: Tensor) -> list[Tensor]:
        """The tensors with other numbers in these steps."""
        made = []
        for one, other, axis in zip(self.tensors, self.other, self.axes, strict=True):
            size = [1] * one.dim()
            if axis:
                size[0], size[axis] = where.shape
            made.append(torch.where(where.reshape(size), other, one) if axis else one)
        return made

    def shorter(self) -> tuple[list[Tensor], dict[str, Tensor]]:
        """The same without the last step."""
        steps = self.left.shape[1] - 1
        made = [
            each.narrow(axis, 0, steps) if axis else each for each, axis in zip(self.tensors, self.axes, strict=True)
        ]
        return [each.contiguous() for each in made], {name: each[:, :steps] for name, each in self.given.items()}


def _left(steps: int, missing: Sequence[int] = (1, 3, 2)) -> Tensor:
    """(3, T): the last steps of each sequence are padding."""
    counts = torch.tensor([max(1, steps - each) for each in missing])
    return torch.arange(steps) >= counts.unsqueeze(1)


_HISTORY = re.compile(r"\w*in_?sample\w*|hist\w*|past\w*|context\w*|train\w*")


def _axes(subject: Subject, tensors: Sequence[Tensor], steps: int, name: str) -> list[int]:
    """The axis of the steps in each tensor, by the documented sizes or by their number; 0 if it has none."""
    shapes, gathered = subject.words.shapes, "gather" in subject.words.code
    letter = shapes[name][1] if len(shapes.get(name, ())) > 1 else ""
    found = [0] * len(tensors)
    for at, each in enumerate(subject.parameters[: len(tensors)]):
        tensor, place = tensors[subject.place(at)], subject.place(at)
        sized = [n for n in range(1, tensor.dim()) if tensor.shape[n] == steps]
        if letter and each in shapes:
            sized = [n for n in sized if n < len(shapes[each]) and shapes[each][n] == letter]
        if gathered and tensor.dim() > 3:
            continue  # maps, of which an index takes places
        found[place] = sized[0] if sized and not _HISTORY.fullmatch(each.lower()) else 0
    return found


def _as_mask(left: Tensor, like: Tensor, out: bool) -> Tensor:
    """The mask of these steps in the dtype and the dimensions of another one."""
    kept = left if out else ~left
    return kept.reshape(*kept.shape, *(1,) * (like.dim() - 2)).expand(like.shape).to(like.dtype).contiguous()


def _by_extra(subject: Subject, extra: Extra, out: bool) -> Padded | None:
    """A batch for a mask that is no tensor of the example."""
    spec = subject.spec
    if not spec.takes_spatial(1) or extra.per_sample:
        return None
    tensors, other = (subject.example(seed, batch=3, size=(6,)) for seed in (0, 5))
    if tensors[0].shape[-1] != 6:
        return None
    axes = tuple(each.dim() - 1 if each.dim() > 1 and each.shape[-1] == 6 else 0 for each in tensors)
    left = _left(6)
    like = extra.usual(tensors, spec.labels)
    if not isinstance(like, Tensor) or like.shape != left.shape:
        return None
    return Padded(subject, tensors, other, axes, left, {extra.name: _as_mask(left, like, out)})


def _by_tensor(subject: Subject, place: int, out: bool) -> Padded | None:
    """A batch for a mask that is one of the tensors."""
    tensors, other = (list(subject.example(seed, batch=3)) for seed in (0, 5))
    mask = tensors[place]
    if (
        mask.dim() < 2
        or mask.shape[0] != 3
        or mask.shape[1] < 3
        or any(len(each) != 3 for each in tensors if each.dim())
    ):
        return None
    steps = mask.shape[1]
    left = _left(steps)
    axes = _axes(subject, tensors, steps, subject.parameters[subject.order(place)])
    for at, each in enumerate(tensors):
        if not each.is_floating_point() and each.shape == (3,):  # an index of a step, which counts
            tensors[at] = other[at] = torch.zeros_like(each)
    tensors[place] = other[place] = _as_mask(left, mask, out)
    return Padded(subject, tuple(tensors), tuple(other), tuple(axes), left)


def _by_lengths(subject: Subject, place: int) -> Padded | None:
    """A batch for lengths that are one of the tensors."""
    names = subject.parameters
    tensors, other = (list(subject.example(seed, batch=3)) for seed in (0, 5))
    written = {
        subject.place(at): [
            n for n, each in enumerate(subject.words.shapes.get(name, ())) if _TIME.fullmatch(each.lower())
        ]
        for at, name in enumerate(names[: len(tensors)])
    }
    wide = next((at for at, each in enumerate(tensors) if at != place and each.dim() > 1), None)
    if wide is None or tensors[place].shape != (3,):
        return None
    known = [at for at in written.get(wide, []) if 0 < at < tensors[wide].dim()]
    steps = tensors[wide].shape[known[0] if len(known) == 1 else 1]
    if steps < 3:
        return None
    left = _left(steps)
    axes = _axes(subject, tensors, steps, "")
    axes[place] = 0
    tensors[place] = other[place] = (~left).sum(1).to(tensors[place].dtype)
    return Padded(subject, tuple(tensors), tuple(other), tuple(axes), left)


def _batches(subject: Subject) -> Iterator[tuple[str, Padded]]:
    """Padded batches, with the mask read in both ways: as what counts, then as what does not."""
    spec, names = subject.spec, subject.parameters
    extras = [each for each in spec.way.extras if not each.sort and _MASK.fullmatch(each.name.lower())]
    for extra in extras[:1] if len(extras) == 1 else ():
        said = extra.out or masks_out(extra.name, subject.words)
        for out in (said, not said):
            made = _by_extra(subject, extra, out)
            if made is not None:
                yield extra.name, made
        return
    if not spec.layout.startswith("several"):
        return
    held = range(min(len(names), len(spec.tensors)))
    lengths = [at for at in held if _LENGTHS.fullmatch(names[at].lower())]
    masks = [at for at in held if _MASK.fullmatch(names[at].lower()) and at not in lengths]
    if len(masks) == 1 and not lengths and len(spec.tensors) > 2:
        said = masks_out(names[masks[0]], subject.words)
        for out in (said, not said):
            made = _by_tensor(subject, subject.place(masks[0]), out)
            if made is not None:
                yield names[masks[0]], made
    elif len(lengths) == 1 and not masks and not re.search(_OTHER_LENGTHS, subject.words.all):
        made = _by_lengths(subject, subject.place(lengths[0]))
        if made is not None:
            yield names[lengths[0]], made
    elif len(lengths) == 2 and not masks and not re.search(_OTHER_LENGTHS, subject.words.all):
        yield from _by_two_lengths(subject, lengths)


def _by_two_lengths(subject: Subject, lengths: Sequence[int]) -> Iterator[tuple[str, Padded]]:
    """Batches for the lengths of two tensors, named after them: x with x_len, y with y_lengths."""
    names = subject.parameters
    tensors, other = (list(subject.example(seed, batch=3)) for seed in (0, 5))
    owners: dict[int, int] = {}
    for at in lengths:
        stem = re.sub(r"_?(len|lens|length|lengths)$", "", names[at].lower())
        held = [n for n, name in enumerate(names) if n not in lengths and stem and name.lower() == stem]
        if len(held) != 1 or tensors[subject.place(held[0])].dim() < 2:
            return
        owners[at] = held[0]
    for at, owner in owners.items():  # of both, so that each is at most as long as its tensor
        counts = (~_left(tensors[subject.place(owner)].shape[1])).sum(1)
        place = subject.place(at)
        tensors[place] = other[place] = counts.to(tensors[place].dtype)
    for at, owner in owners.items():
        axes = tuple(int(n == subject.place(owner)) for n in range(len(tensors)))
        left = _left(tensors[subject.place(owner)].shape[1])
        yield names[at], Padded(subject, tuple(tensors), tuple(other), axes, left)


def _shows(made: Padded) -> float:
    """By how much the content of the padding moves the loss; NaN if it refuses the batch."""
    before = made.value(made.tensors, made.given)
    after = made.value(made.filled(made.left), made.given)
    if not math.isfinite(before) or not math.isfinite(after):
        return math.nan
    return 0.0 if close(after, before, 1e-5, 1e-7) else abs(after - before)


_ENDS = r"\bterminal|not.?done|end of (the|an) episode"  # a mask of ends: rewards count there, what follows does not


@kind(r"mask|\bpad|valid|length|_lens?\b")
def padding(subject: Subject) -> Iterator[Found]:
    """Whether neither the content nor the number of padded steps changes the loss."""
    if subject.spec.way.inside or is_random(subject) or re.search(_ENDS, subject.words.all):
        return
    found = [(name, made, _shows(made)) for name, made in _batches(subject)]
    if not found or any(math.isnan(moved) for _, _, moved in found[:1]):
        return
    several = len({name for name, _, _ in found}) > 1  # of which each must leave its own steps out
    choose = max if several else min
    name, made, moved = choose(found, key=lambda each: math.inf if math.isnan(each[2]) else each[2])
    before = made.value(made.tensors, made.given)
    if moved:
        if not several:
            name, made, _ = found[0]
        filled = made.filled(made.left)
        yield Found(
            f"steps that {name} leaves out change the loss",
            {
                "with other numbers in the padding": made.value(filled, made.given),
                "before": made.value(made.tensors, made.given),
            },
            code(subject, *filled, arguments=made.given),
            None,
            f"Multiply the loss of each step by {name}, or select by it, before the sum.",
        )
        return
    if several:
        return
    tensors, given = made.shorter()
    after = made.value(tensors, given)
    if math.isfinite(after) and not close(after, before, 1e-4, 1e-7) and not re.search(_FIXED, subject.words.all):
        yield Found(
            "one more step of padding in every sequence changes the loss: padded steps are counted",
            {"padded to one step more": before, "without it": after},
            code(subject, *made.tensors, arguments=made.given),
            None,
            f"Divide by the number of steps that {name} keeps, not by the padded length.",
        )
