"""A user's batch: its file, and what its target means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from losskit.checker.concluding import conclude
from losskit.checker.origin import Origin
from losskit.checker.repro import literal
from losskit.checker.shown import Shown
from losskit.checker.spec import Spec
from losskit.checker.subject import Subject
from losskit.checker.trees import tree_of
from losskit.checker.user_call import example_of

_SHORT = 48  # numbers that a repro writes in full


def subject_of(origin: Origin, batch: Any, example: Any, said: Mapping[str, Any], spec: Spec | None = None) -> Subject:
    """The subject of a loss with a user's batch or example, each a path, arguments, or None."""
    held = loaded(batch)
    plain = isinstance(held, tuple) and all(isinstance(each, Tensor) for each in held)
    shown = None if batch is None else Shown.of(held, origin.build(), good=not plain, exact=True)
    given = shown if example is None else Shown.of(loaded(example), origin.build())
    if spec is None:
        spec = conclude(origin, given, **with_sizes(given, said))
    subject = Subject(origin, spec)
    if batch is not None:
        subject.batch, subject.fixed = _placed(held, shown, subject)
        subject.batch_file = batch if isinstance(batch, str) else subject.batch_file
    return subject


def loaded(call: Any) -> Any:
    """The arguments of a call: those given, those of a function, or those of a file."""
    return None if call is None else example_of(call)


def with_sizes(shown: Shown | None, said: Mapping[str, Any]) -> dict[str, Any]:
    """The options for a loss, with the classes and sizes of a call where they are not given."""
    if shown is None or shown.classes is None:
        return dict(said)
    found = {"classes": shown.classes, "shape": shown.spatial}
    return {**said, **{name: value for name, value in found.items() if said.get(name) is None}}


def _placed(held: Any, shown: Shown | None, subject: Subject) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The tensors of a batch in the order of the spec, and its further arguments by name."""
    spec = subject.spec
    plain = isinstance(held, tuple) and all(isinstance(each, Tensor) for each in held)
    if spec.way.inside:
        raise ValueError("This loss calls a model, whose batch cannot be checked. Pass it as an example.")
    if shown is None or (plain and len(held) == len(spec.tensors) == 2):
        return tuple(held), {}
    extras = {each.name for each in spec.way.extras}
    named = {name: value for name, value in shown.arguments.items() if name in extras}
    flat = [tensor for name, value in shown.arguments.items() if name not in extras for tensor in tree_of(value)[1]]
    if len(flat) != len(spec.tensors):
        return tuple(shown.tensors), {}
    tensors = [flat[spec.way.order(at)] for at in range(len(flat))]
    if spec.way.last:
        tensors[0] = tensors[0].movedim(-1, 1)
    return tuple(tensors), named


@dataclass(frozen=True)
class Given:
    """The batch, and what its target means."""

    tensors: tuple[Tensor, ...]
    spec: Spec

    @property
    def input(self) -> Tensor:
        return self.tensors[0]

    @property
    def target(self) -> Tensor:
        return self.tensors[min(1, len(self.tensors) - 1)]

    @property
    def labels(self) -> Tensor:
        """The true class at each position (N, *); for binary decisions, 0 and 1 in the input's shape."""
        if self.spec.kind == "multiclass":
            target = self.target.argmax(1) if self.target.shape == self.input.shape else self.target
            squeezed = target.squeeze(1) if target.dim() == self.input.dim() else target
            return squeezed.long()
        return (self.target.reshape(self.input.shape) > 0.5).long()

    @property
    def counts(self) -> Tensor:
        """Where a label counts, in the shape of `labels`."""
        ignored = self.spec.ignore_index
        if ignored is None:
            return torch.ones_like(self.labels, dtype=torch.bool)
        if self.spec.kind == "multiclass":
            return self.labels != ignored
        return self.target.reshape(self.input.shape) != ignored

    @property
    def classes(self) -> int:
        return self.input.shape[1] if self.spec.kind == "multiclass" else 2


def given(subject: Subject) -> Given:
    assert subject.batch is not None
    tensors = tuple(t.detach() for t in subject.batch)
    return Given(tensors, subject.spec)


def code_of(subject: Subject, *lines: str) -> str:
    """A repro that writes the batch in full if it is small."""
    batch = given(subject).tensors
    if sum(t.numel() for t in batch) <= _SHORT:
        return subject.code(*(literal(t) for t in batch), lines=lines)
    names = ", ".join(subject.spec.tensors)
    file = repr(subject.batch_file)
    saved = f"{names} = load(Path({file}))  # saved with torch.save(({names}), {file})"
    brought = "from pathlib import Path\nfrom losskit.checker.user_call import load"
    return subject.code(lines=(saved, *lines), imports=brought)
