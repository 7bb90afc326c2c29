"""Wraps: a tensor of an example as the list, the dict, the distribution or the mask that a loss takes in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.distributions import Normal

from losskit.checker.uses import BOOLEAN, DICT, LIST, NORMAL, SCALARS


@dataclass(frozen=True)
class Wrap:
    """How one argument is made of its tensor."""

    at: int  # its place among the tensors of a call
    sort: str
    keys: tuple[str, ...] = ()

    def made(self, tensor: Tensor) -> Any:
        if self.sort == BOOLEAN:
            return tensor > 0.5
        if self.sort == LIST:
            return [tensor, 0.5 * tensor]
        if self.sort == SCALARS:
            return [tensor.abs().mean(), tensor.square().mean()]
        if self.sort == DICT:
            return {key: (1 - 0.25 * at) * tensor for at, key in enumerate(self.keys)}
        return Normal(tensor, 1 + 0.25 * tensor.square(), validate_args=False) if self.sort == NORMAL else tensor

    def code(self, name: str) -> str:
        return {
            BOOLEAN: f"{name} > 0.5",
            LIST: f"[{name}, 0.5 * {name}]",
            SCALARS: f"[{name}.abs().mean(), {name}.square().mean()]",
            DICT: f"{{{', '.join(f'{key!r}: {1 - 0.25 * at:g} * {name}' for at, key in enumerate(self.keys))}}}",
            NORMAL: f"torch.distributions.Normal({name}, 1 + 0.25 * {name}.square())",
        }[self.sort]


def wrapped(tensors: Sequence[Any], wraps: Sequence[Wrap]) -> list[Any]:
    by_place = {each.at: each for each in wraps}
    return [by_place[at].made(t) if at in by_place else t for at, t in enumerate(tensors)]
