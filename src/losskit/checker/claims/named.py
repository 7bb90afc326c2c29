"""A call whose tensors are known by the names of their arguments."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor

from losskit.checker.checks.tools import BACKWARD, FORWARD, Pulled, code, pull, tried, value
from losskit.checker.subject import Subject


class Named:
    """The tensors of an example by the names of their arguments."""

    def __init__(self, subject: Subject, seed: int = 0, batch: int = 4) -> None:
        self.subject = subject
        self.tensors = subject.example(seed, batch=batch)
        names = subject.parameters[: len(self.tensors)]
        self.places = {name: subject.place(at) for at, name in enumerate(names)}
        self.batch = batch

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[self.places[name]]

    def like(self, pattern: str, unless: str = "$^") -> list[str]:
        """The names that match a pattern in lower case."""
        return [n for n in self.places if re.fullmatch(pattern, n.lower()) and not re.fullmatch(unless, n.lower())]

    def numbers(self, pattern: str, unless: str = "$^") -> list[str]:
        """The same for tensors of floating-point numbers."""
        return [name for name in self.like(pattern, unless) if self[name].is_floating_point()]

    def with_(self, changed: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        made = list(self.tensors)
        for name, tensor in changed.items():
            made[self.places[name]] = tensor
        return tuple(made)

    def value(self, changed: Mapping[str, Tensor], options: Mapping[str, object] | None = None) -> float:
        """The loss with some tensors changed; NaN if it refuses them."""
        found = tried(value, self.subject, *self.with_(changed), options=options)
        return math.nan if found is None else found

    def pull(self, of: str, changed: Mapping[str, Tensor]) -> Pulled | None:
        """The loss and its gradient with respect to one tensor."""
        return tried(pull, self.subject, *self.with_(changed), of=self.places[of])

    def code(self, changed: Mapping[str, Tensor], backward: bool = False) -> str:
        lines = BACKWARD if backward else (FORWARD,)
        return code(self.subject, *self.with_(changed), lines=lines)


def is_flag(tensor: Tensor) -> bool:
    """Whether a tensor holds only 0 and 1."""
    return bool(((tensor == 0) | (tensor == 1)).all()) if tensor.numel() else False


def short(*size: int, seed: int = 0) -> Tensor:
    """Numbers that are short to write, in float32."""
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)).round(decimals=3)
