"""What the arguments of one call of a user show about a loss."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from losskit.checker.origin import Criterion, signature_of
from losskit.checker.trees import tree_of
from losskit.checker.uses import BOOLEAN, CONSTANT, DICT, LIST, MODE, MODEL, NORMAL, SCALARS, Use

_LARGEST = 32  # positions along one dimension of an example


@dataclass(frozen=True)
class Shown:
    """The arguments of a call by the names of the parameters, in their order."""

    arguments: Mapping[str, Any]
    good: bool = True  # a call as it should be; False: a batch that may be wrong
    exact: bool = False  # the tensors of its lists and dicts are those of the spec

    @classmethod
    def of(cls, made: Any, criterion: Criterion, good: bool = True, exact: bool = False) -> Shown | None:
        """What the arguments show; None if the loss has no signature."""
        signature = signature_of(criterion)
        if signature is None:
            return None
        positional, named = _split(made, signature)
        try:
            bound = signature.bind(*positional, **named)
        except TypeError as error:
            takes = ", ".join(signature.parameters)
            passes = ", ".join([*map(_kind, positional), *(f"{n}={_kind(v)}" for n, v in named.items())])
            raise ValueError(f"The loss takes ({takes}), and the example passes ({passes}): {error}.") from error
        contained = any(tree.made and tree.count for tree, _ in map(tree_of, bound.arguments.values()))
        return cls(dict(bound.arguments), good, exact and contained)

    def given(self, parameters: Sequence[inspect.Parameter]) -> list[inspect.Parameter]:
        """The parameters with those of this call, and those before them, required."""
        passed = [at for at, p in enumerate(parameters) if self.arguments.get(p.name) is not None]
        last = max(passed, default=-1)
        return [p.replace(default=p.empty) if at <= last else p for at, p in enumerate(parameters)]

    def uses(self, known: Mapping[str, Use], parameters: Sequence[inspect.Parameter]) -> dict[str, Use]:
        """What each argument is, besides a tensor of numbers; `known` is read from the code."""
        found: dict[str, Use | None] = dict(known)
        for p in parameters:
            value = self.arguments.get(p.name, None if p.default is p.empty else p.default)
            if p.name in self.arguments or p.default is not p.empty:
                found[p.name] = _use(value, known.get(p.name))
        return {name: use for name, use in found.items() if use is not None}

    def tensor(self, name: str) -> Tensor | None:
        """The tensor of this name, if the argument is one."""
        value = self.arguments.get(name)
        return value if isinstance(value, Tensor) else None

    def agrees(self, names: Sequence[str], made: Sequence[Tensor], sized: bool = True) -> bool:
        """Whether these tensors may be what this call has for the arguments: their numbers, and how they are shaped."""
        alike: list[tuple[Tensor, Tensor]] = []
        for name, tensor in zip(names, made, strict=False):
            tree, held = tree_of(self.arguments.get(name))
            whole = len(held) == len(tree.parts)  # all parts are tensors, which may be made of one
            if held and not tree.tensor and not (whole and all(each.dtype == held[0].dtype for each in held)):
                return False
            if not all(_like(each, tensor, sized) for each in held):
                return False
            alike += [(tensor, held[0])] if tree.tensor else []
        apart = [a.shape == b.shape and x.shape != y.shape for a, x in alike for b, y in alike if x.dim() == y.dim()]
        return not (sized and any(apart))

    @property
    def tensors(self) -> list[Tensor]:
        """Its tensors in order."""
        return [tensor for value in self.arguments.values() for tensor in tree_of(value)[1]]

    @property
    def classes(self) -> int | None:
        """The number of classes of scores beside class indices."""
        return next((scores.shape[at] for scores, at in self._scores()), None)

    @property
    def channels(self) -> list[int]:
        """The sizes of the second dimensions of its tensors, if they may be numbers of classes."""
        return [each.shape[1] for each in self.tensors if each.dim() > 1 and 1 < each.shape[1] <= _LARGEST]

    @property
    def spatial(self) -> tuple[int, ...] | None:
        """The sizes of the further dimensions of the first tensor with a class at each position, or with channels."""
        for scores, at in self._scores():
            return tuple(min(n, _LARGEST) for place, n in enumerate(scores.shape) if place not in (0, at))
        first = next((each for each in self.tensors if each.dim() > 2), None)
        return None if first is None else tuple(min(n, _LARGEST) for n in first.shape[2:])

    def _scores(self) -> list[tuple[Tensor, int]]:
        """Scores, and their dimension of the classes, that class indices of this call belong to."""
        scores = [each for each in self.tensors if each.is_floating_point() and each.dim() > 1]
        labels = [each for each in self.tensors if not each.is_floating_point() and each.dtype != torch.bool]
        found = []
        for each in scores:
            for at in dict.fromkeys((1, each.dim() - 1)):
                sizes = (*each.shape[:at], *each.shape[at + 1 :])
                if each.shape[at] > 1 and any(label.shape == sizes for label in labels):
                    found.append((each, at))
        return found

    def shares(self, name: str) -> bool | None:
        """Whether all numbers of an argument are between 0 and 1; None if it is no tensor of many numbers."""
        shown = self.tensor(name)
        if shown is None or shown.numel() < 8 or not shown.is_floating_point():
            return None
        return bool((shown >= 0).all() and (shown <= 1).all())


def _like(shown: Tensor, made: Tensor, sized: bool) -> bool:
    """Whether a tensor has as many dimensions as the one shown, and whole numbers where that has more than two."""
    if sized and shown.dim() != made.dim():
        return False
    if not shown.is_floating_point() and len(set(shown.flatten().tolist())) > 2:
        return not made.is_floating_point() or bool((made == made.round()).all())
    if made.is_floating_point() or not shown.is_floating_point():
        return True
    known = shown[shown.isfinite()]
    return bool((known == known.round()).all())


def _split(made: Any, signature: inspect.Signature) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and the named arguments: a dict holds names if they are parameters of the loss."""
    if isinstance(made, Mapping):
        if _are_names(made, signature):
            return (), dict(made)
        if len(signature.parameters) > 1:
            takes, named = ", ".join(signature.parameters), ", ".join(map(str, made))
            raise ValueError(f"The loss takes ({takes}), and the call is a dict of {named}: name its arguments so.")
        return (made,), {}
    made = tuple(made)
    apart = len(made) == 2 and isinstance(made[0], tuple) and isinstance(made[1], Mapping)
    return (made[0], dict(made[1])) if apart and _are_names(made[1], signature) else (made, {})


def _are_names(held: Mapping[Any, Any], signature: inspect.Signature) -> bool:
    free = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    return all(isinstance(key, str) and (free or key in signature.parameters) for key in held)


def _kind(value: Any) -> str:
    return f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _use(value: Any, use: Use | None) -> Use | None:
    if isinstance(value, Tensor):
        return Use(BOOLEAN) if value.dtype == torch.bool else None
    if isinstance(value, Distribution):
        return Use(NORMAL) if isinstance(value, Normal) else Use(CONSTANT, (value,))
    if isinstance(value, nn.Module) or callable(value):
        return Use(MODEL)
    tree, tensors = tree_of(value)
    if tensors:
        if tree.made not in (list, tuple):
            return Use(DICT, tree.keys)
        if use is not None and use.sort in (LIST, SCALARS):
            return use
        return Use(SCALARS if all(each.numel() == 1 for each in tensors) else LIST)
    if use is not None and use.sort == MODE and value in use.values:
        return Use(MODE, (value, *(each for each in use.values if each != value)))
    return Use(CONSTANT, (value,))
