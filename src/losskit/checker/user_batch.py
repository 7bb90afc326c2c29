"""A user's batch: its file, and what its target means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from losskit.building import references
from losskit.checker.repro import literal
from losskit.checker.spec import Spec
from losskit.checker.subject import Subject

_INPUTS = ("input", "inputs", "logits", "output", "outputs", "pred", "preds", "prediction", "predictions")
_TARGETS = ("target", "targets", "label", "labels", "truth", "mask", "masks", "y")
_LARGEST = 32  # positions along one dimension of an example
_SHORT = 48  # numbers that a repro writes in full


def with_batch_sizes(batch: tuple[Any, ...], said: Mapping[str, Any]) -> dict[str, Any]:
    """The options for a loss, with the classes and sizes of a batch where they are not given."""
    input, target = batch[0], batch[1] if len(batch) > 1 else None
    indices = isinstance(target, Tensor) and not target.is_floating_point() and target.dim() == input.dim() - 1
    found: dict[str, Any] = {}
    if indices and input.dim() > 1 and input.shape[1] > 1:
        found["classes"] = input.shape[1]
        found["shape"] = tuple(min(size, _LARGEST) for size in input.shape[2:])
    return {**said, **{name: value for name, value in found.items() if said.get(name) is None}}


def load(path: Path) -> tuple[Any, ...]:
    """The tensors of a call from a torch.save file: (input, target, ...), or a dict with names for them."""
    if ".py:" in str(path):
        return _made(str(path))
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(
            f"There is no file {path}. Save a batch with torch.save((input, target), {str(path)!r})."
        ) from None
    except Exception as error:
        raise ValueError(f"{path} does not load: {error}") from error
    if isinstance(held, Mapping):
        names = [next((n for n in each if n in held), None) for each in (_INPUTS, _TARGETS)]
        if None in names:
            raise ValueError(f"{path} contains {', '.join(map(str, held))}; it must contain input and target.")
        rest = [value for name, value in held.items() if name not in names]
        held = [held[names[0]], held[names[1]], *rest]
    if not isinstance(held, (list, tuple)) or len(held) < 2 or not all(isinstance(t, Tensor) for t in held):
        raise ValueError(f"{path} is {type(held).__name__}; it must be (input, target), or a dict with these names.")
    return tuple(t.detach() for t in held)


def _made(text: str) -> tuple[Any, ...]:
    """The tensors that a function of a file returns."""
    place, _, name = text.rpartition(":")
    made = references.load(references.Reference(place, name))()
    if not isinstance(made, (list, tuple)) or not all(isinstance(each, Tensor) for each in made):
        raise ValueError(f"{text} returns {type(made).__name__}; it must return the tensors of one call as a tuple.")
    return tuple(each.detach() for each in made)


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
        return self.tensors[1]

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
    brought = "from pathlib import Path\nfrom losskit.checker.user_batch import load"
    return subject.code(lines=(saved, *lines), imports=brought)
