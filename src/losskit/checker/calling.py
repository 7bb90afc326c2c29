"""How a loss is called: the order of its tensors, its further arguments, and which part of the result is the loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from losskit.checker import roles
from losskit.checker.words import Words

_MASKS = ("mask", "masks", "valid", "valid_mask", "loss_mask", "pixel_mask", "attention_mask")
MASKS_OF_PADDING = ("padding_mask", "pad_mask", "key_padding_mask", "src_key_padding_mask", "ignore_mask")
MASKS = (*_MASKS, *MASKS_OF_PADDING)
WEIGHTS = ("weight", "weights", "sample_weight", "sample_weights", "weight_map", "pixel_weights", "w")

HEADS = ("aux", "auxs", "aux_outputs", "aux_logits", "auxiliary", "side_outputs")  # further outputs, in a list


@dataclass(frozen=True)
class Extra:
    """A further argument of a call: a mask or weight, ones unless a check sets it; or a list of auxiliary outputs."""

    name: str
    at: int  # its position in the call
    per_sample: bool = False
    boolean: bool = False
    out: bool = False  # a mask of what does not count

    @property
    def is_mask(self) -> bool:
        return self.name in MASKS

    def usual(self, tensors: Sequence[Tensor], labels: bool) -> Tensor | list[Tensor]:
        """Ones of the shape that the loss takes, in the dtype of the scores; a copy of the scores for HEADS."""
        if self.name in HEADS:
            return [tensors[0].clone()]
        like = tensors[-1] if labels else tensors[0]
        size = like.shape[:1] if self.per_sample else like.shape
        return torch.full(size, not self.out, dtype=torch.bool if self.boolean else tensors[0].dtype)

    def code(self, like: str) -> str:
        """The usual value as code."""
        shape = f"{like}.shape[:1]" if self.per_sample else f"{like}.shape"
        return f"torch.{'zeros' if self.out else 'ones'}({shape}{', dtype=torch.bool' if self.boolean else ''})"


@dataclass(frozen=True)
class Way:
    """How the tensors of an example become the arguments of a call."""

    swapped: bool = False  # the target comes first
    last: bool = False  # classes are the last dimension of the input
    extras: tuple[Extra, ...] = ()
    labels: bool = False  # the target labels each position, so masks have its shape

    def call(self, criterion: Callable[..., Any], tensors: Sequence[Any], arguments: Mapping[str, Any]) -> Tensor:
        """The loss that the criterion returns for these tensors."""
        named = dict(arguments)
        given = self.ordered(tensors)
        for extra in self.extras:
            given.insert(extra.at, named.pop(extra.name) if extra.name in named else extra.usual(tensors, self.labels))
        return loss_of(criterion(*given, **named))[0]

    def ordered(self, tensors: Sequence[Any]) -> list[Any]:
        """The tensors in the order in which the loss takes them."""
        given = list(tensors)
        if self.last:
            given[0] = given[0].movedim(1, -1)
        if self.swapped and len(given) > 1:
            given[:2] = given[1::-1]
        return given

    def call_code(self, names: Sequence[str], arguments: Mapping[str, Any]) -> str:
        """The call as code, with these names for its tensors."""
        said = list(names)
        if self.last:
            said[0] = f"{said[0]}.movedim(1, -1)"
        if self.swapped and len(said) > 1:
            said[:2] = said[1::-1]
        named = dict(arguments)
        like = names[-1] if self.labels else names[0]
        for extra in self.extras:
            value = named.pop(extra.name, None)
            usual = f"[{said[0]}]" if extra.name in HEADS else extra.code(like)
            said.insert(extra.at, extra.name if value is not None else usual)
        given = [f"{n}={n if isinstance(v, (str, Tensor)) else repr(v)}" for n, v in named.items()]
        return f"criterion({', '.join([*said, *given])})"


@dataclass(frozen=True)
class Call:
    """How many tensors a call takes, and its further arguments."""

    arity: int
    way: Way


def calls_of(names: list[inspect.Parameter], words: Words | None = None) -> list[Call]:
    """The ways of calling a loss with these parameters, the most likely first."""
    required = [p.name for p in names if p.default is p.empty and p.kind is not p.KEYWORD_ONLY]
    swapped = len(required) > 1 and required[0].lower() in roles.TARGETS and required[1].lower() in roles.INPUTS
    way = Way(swapped or roles.sides_of(required) == (-1, 1))
    extras = tuple(
        Extra(n, at, out=words is not None and roles.masks_out(n, words))
        for at, n in enumerate(required)
        if n.lower() in (*MASKS, *WEIGHTS, *HEADS)
    )
    if extras and len(required) - len(extras) >= 2:
        per_sample = tuple(replace(each, per_sample=True) for each in extras)
        few = len(required) - len(extras)
        ways = [extras, per_sample]
        if any(each.is_mask for each in extras):
            ways += [tuple(replace(each, boolean=each.is_mask) for each in made) for made in ways]
        return [Call(few, replace(way, extras=made)) for made in ways]
    if len(required) == 1 and len(names) > 1 and names[1].name.lower() in roles.TARGETS:
        return [Call(2, way), Call(1, way)]
    return [Call(len(required) or 2, way)]


def loss_of(result: Any) -> tuple[Tensor, str]:
    """The loss in the result of a criterion, and its place: the part called loss, otherwise the first single number."""
    if isinstance(result, Tensor):
        return result, ""
    if isinstance(result, (int, float)):
        return torch.tensor(float(result)), "a Python number"
    parts = _parts(result)
    tensors = {name: value for name, value in parts.items() if isinstance(value, Tensor) and value.is_floating_point()}
    for wanted in ("loss", "total_loss", "loss_total", "total"):
        if wanted in tensors:
            return tensors[wanted], f"result[{wanted!r}]" if isinstance(result, Mapping) else f"result.{wanted}"
    named = [name for name in tensors if isinstance(name, str) and "loss" in name.lower()]
    single = [name for name, value in tensors.items() if value.dim() == 0]
    for name in (*named, *single, *tensors):
        return tensors[name], f"result.{name}" if not isinstance(
            result, (Mapping, tuple, list)
        ) else f"result[{name!r}]"
    raise TypeError(f"it returned {type(result).__name__}, which contains no tensor of numbers")


def _parts(result: Any) -> dict[Any, Any]:
    if isinstance(result, Mapping):
        return dict(result)
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return dict(zip(result._fields, result, strict=True))
    if isinstance(result, (tuple, list)):
        return dict(enumerate(result))
    if is_dataclass(result):
        return {each.name: getattr(result, each.name) for each in fields(result)}
    return dict(vars(result)) if hasattr(result, "__dict__") else {}
