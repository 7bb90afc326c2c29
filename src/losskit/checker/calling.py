"""How a loss is called: the order of its tensors, its further arguments, and which part of the result is the loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from losskit.checker import roles
from losskit.checker.models import Small, scores
from losskit.checker.uses import BOOLEAN, CONSTANT, COUNT, LIST, MODE, MODEL, SCALARS, SCORED, Use
from losskit.checker.words import Words
from losskit.checker.wraps import Wrap, groups, wrapped

NUMBER = "number"
MODELS_OUT = (1, None, 3, 2)  # how many outputs a model may have; None: the shape of its input
INSIDE = "model_weights"  # the name of the tensor that holds the weights of a model
_MASKS = ("mask", "masks", "valid", "valid_mask", "loss_mask", "pixel_mask", "attention_mask")
MASKS_OF_PADDING = ("padding_mask", "pad_mask", "key_padding_mask", "src_key_padding_mask", "ignore_mask")
MASKS = (*_MASKS, *MASKS_OF_PADDING)
WEIGHTS = ("weight", "weights", "sample_weight", "sample_weights", "weight_map", "pixel_weights", "w")

HEADS = ("aux", "auxs", "aux_outputs", "aux_logits", "auxiliary", "side_outputs")  # further outputs, in a list


@dataclass(frozen=True)
class Extra:
    """A further argument of a call: a mask or weight, ones unless a check sets it; auxiliary outputs; or no tensor."""

    name: str
    at: int  # its position in the call
    per_sample: bool = False
    boolean: bool = False
    out: bool = False  # a mask of what does not count
    sort: str = ""  # MODEL, SCORED, MODE or NUMBER, if it is no tensor of an example
    value: Any = None  # of a mode or a number; how many outputs a model has, None for the shape of its input

    @property
    def is_mask(self) -> bool:
        return self.name in MASKS

    def usual(self, tensors: Sequence[Tensor], labels: bool) -> Any:
        """Ones of the shape that the loss takes, in the dtype of the scores; a copy of the scores for HEADS."""
        if self.name in HEADS:
            return [tensors[0].clone()]
        if self.sort == MODEL:
            return Small(tensors[0], self.value)
        if self.sort == SCORED:
            return scores(tensors[0], self.value)
        if self.sort in (MODE, NUMBER):
            return self.value
        like = tensors[-1] if labels else tensors[0]
        size = like.shape[:1] if self.per_sample else like.shape
        return torch.full(size, not self.out, dtype=torch.bool if self.boolean else tensors[0].dtype)

    def code(self, first: str, like: str) -> str:
        """The usual value as code, with these names of the first tensor and of the one whose shape a mask has."""
        if self.name in HEADS:
            return f"[{first}]"
        if self.sort == MODEL:
            return f"losskit.checker.models.Small({first}, {self.value})"
        if self.sort == SCORED:
            return f"losskit.checker.models.scores({first}, {self.value})"
        if self.sort in (MODE, NUMBER):
            return repr(self.value)
        shape = f"{like}.shape[:1]" if self.per_sample else f"{like}.shape"
        return f"torch.{'zeros' if self.out else 'ones'}({shape}{', dtype=torch.bool' if self.boolean else ''})"


@dataclass(frozen=True)
class Way:
    """How the tensors of an example become the arguments of a call."""

    swapped: bool = False  # the target comes first
    lead: int = 0  # where the input is, for tensors that are known by shape only
    last: bool = False  # classes are the last dimension of the input
    extras: tuple[Extra, ...] = ()
    labels: bool = False  # the target labels each position, so masks have its shape
    inside: bool = False  # the first tensor is the weights of a model that the loss calls
    wraps: tuple[Wrap, ...] = ()  # tensors that become lists, dicts or distributions
    keywords: tuple[str, ...] = ()  # names by which all arguments are passed, if it takes none by position
    given: tuple[tuple[str, Any], ...] = ()  # arguments of every call, by name

    def call(self, criterion: Callable[..., Any], tensors: Sequence[Any], arguments: Mapping[str, Any]) -> Tensor:
        """The loss that the criterion returns for these tensors."""
        named = {**dict(self.given), **arguments}
        given = wrapped(self.ordered(tensors), self.wraps)[self.inside :]
        for extra in self.extras:
            given.insert(extra.at, named.pop(extra.name) if extra.name in named else extra.usual(tensors, self.labels))
        named.update(zip(self.keywords, given, strict=False))
        return loss_of(criterion(*given[len(self.keywords) :], **named))[0]

    def ordered(self, tensors: Sequence[Any]) -> list[Any]:
        """The tensors in the order in which the loss takes them."""
        given = list(tensors)
        if self.last:
            given[0] = given[0].movedim(1, -1)
        return self._in_order(given)

    def _in_order(self, given: list[Any]) -> list[Any]:
        if self.swapped and len(given) > 1:
            given[:2] = given[1::-1]
        given.insert(self.lead, given.pop(0))
        return given

    def place(self, at: int) -> int:
        """The tensor of an example that is passed at this place."""
        lead = 1 if self.swapped else self.lead
        return at if at > lead else 0 if at == lead else at + 1

    def order(self, place: int) -> int:
        """The place at which this tensor of an example is passed."""
        lead = 1 if self.swapped else self.lead
        return place if place > lead else lead if place == 0 else place - 1

    def tensor_names(self, names: Sequence[str]) -> list[str]:
        """A name for each tensor, in the order of the call, from the names of its arguments."""
        counts = {wrap.at: wrap for wrap in self.wraps if wrap.count > 1}
        found: list[str] = []
        for at, name in enumerate(names):
            wrap = counts.get(at)
            parts = () if wrap is None else wrap.names
            found += [name] if wrap is None else [f"{name}_{part}" for part in parts]
        return found

    def call_code(self, names: Sequence[str], arguments: Mapping[str, Any]) -> str:
        """The call as code, with these names for its tensors."""
        said = list(names)
        if self.last:
            said[0] = f"{said[0]}.movedim(1, -1)"
        said = self._in_order(said)
        named, first = {**dict(self.given), **arguments}, said[0]
        said = [
            group[0] if wrap is None else f"{'*' * wrap.star}{wrap.gathered_code(group)}"
            for wrap, group in groups(said, self.wraps)
        ]
        said = said[self.inside :]
        like = names[-1] if self.labels else names[0]
        for extra in self.extras:
            value = named.pop(extra.name, None)
            said.insert(extra.at, extra.name if value is not None else extra.code(first, like))
        said = [f"{n}={each}" for n, each in zip(self.keywords, said, strict=False)] or said
        given = [f"{n}={n if isinstance(v, (str, Tensor)) else repr(v)}" for n, v in named.items()]
        return f"criterion({', '.join([*said, *given])})"


@dataclass(frozen=True)
class Call:
    """How many tensors a call takes, and its further arguments."""

    arity: int
    way: Way

    def with_terms(self, count: int) -> Call:
        """The same with so many losses of tasks, or tensors in a list."""
        wraps = tuple(replace(wrap, terms=count) if wrap.sort in (LIST, SCALARS) else wrap for wrap in self.way.wraps)
        return replace(self, way=replace(self.way, wraps=wraps))


def required_of(names: list[inspect.Parameter]) -> tuple[list[str], tuple[str, ...]]:
    """The names of the required arguments, and again if there are none by position: then they are passed by name."""
    needed = [p for p in names if p.default is p.empty]
    found = [p.name for p in needed if p.kind is not p.KEYWORD_ONLY]
    by_name = () if any(p.kind is not p.KEYWORD_ONLY for p in names) else tuple(p.name for p in needed)
    return found or list(by_name), by_name


def calls_of(
    names: list[inspect.Parameter], words: Words | None = None, uses: Mapping[str, Use] | None = None
) -> list[Call]:
    """The ways of calling a loss with these parameters, the most likely first; `uses` is read from its code."""
    required, keywords = required_of(names)
    uses = uses or {}
    masks = _masks_of(required, words, uses)
    others, wraps = _no_tensors(required, {n: use for n, use in uses.items() if n not in {each.name for each in masks}})
    plain = [name for name in required if name not in {each.name for each in others[0]}]
    swapped = len(plain) > 1 and plain[0].lower() in roles.TARGETS and plain[1].lower() in roles.INPUTS
    swapped = ((swapped or roles.sides_of(plain) == (-1, 1)) and not wraps) or roles.teacher_first(plain)
    swapped = swapped or roles.data_first(plain)
    inside = any(each.sort == MODEL for each in others[0])
    wraps = [replace(each, at=each.at + inside) for each in wraps]
    way = Way(swapped, inside=inside, wraps=tuple(wraps), keywords=keywords)
    if masks and not inside and not wraps:
        few = len(plain) - len(masks)
        per_sample = tuple(replace(each, per_sample=True) for each in masks)
        ways = [masks, per_sample]
        if any(each.is_mask and not each.boolean for each in masks):
            ways += [tuple(replace(each, boolean=each.is_mask) for each in made) for made in ways]
        return [
            Call(few, replace(way, extras=tuple(sorted((*each, *other), key=lambda extra: extra.at))))
            for other in others
            for each in ways
        ]
    if len(required) == 1 and len(names) > 1 and names[1].name.lower() in roles.TARGETS and plain:
        return [Call(2, way), Call(1, way)]
    if any(others):
        return [Call(len(plain) + inside, replace(way, extras=other)) for other in others]
    unlisted = tuple(each for each in way.wraps if each.sort != LIST)  # a loop may be over the rows of a tensor
    whole = [] if unlisted == way.wraps else [replace(way, wraps=unlisted)]
    return [Call(len(required) or 2, each) for each in (way, *whole)]


def _masks_of(required: Sequence[str], words: Words | None, uses: Mapping[str, Use]) -> tuple[Extra, ...]:
    """The required arguments that are masks, weights or further outputs by name."""
    booleans = {name for name, use in uses.items() if use.sort == BOOLEAN}
    others = {name for name, use in uses.items() if use.sort != BOOLEAN}
    found = tuple(
        Extra(n, at, boolean=n in booleans, out=words is not None and roles.masks_out(n, words))
        for at, n in enumerate(required)
        if n.lower() in (*MASKS, *WEIGHTS, *HEADS) and (n not in others or n.lower() in HEADS)
    )
    return found if len(required) - len(found) >= 2 else ()


# Usual values of options that have no default.
_NUMBERS = {
    **dict.fromkeys(("temperature", "tau", "margin"), 0.5),
    **dict.fromkeys(("eps", "smoothing"), 1e-2),
    **dict.fromkeys(("epoch", "step", "iteration"), 1),
    "reduction": "mean",
}


def _number(name: str, required: Sequence[str]) -> Any:
    """The usual value of an option that has no default; None if it may be a tensor."""
    name, others = name.lower(), {each.lower() for each in required}
    if name.startswith(roles.COUNTS):
        return 3
    if name in ("gamma", "lam", "smooth") and not others & {"nu", "v", "alpha", "beta"}:
        return 2.0
    return _NUMBERS.get(name)


def _number_of(name: str, at: int, use: Use | None, required: Sequence[str]) -> Any:
    """The value of an argument that is a number by its code, or by its name, unless it comes first."""
    if use == Use(COUNT):
        return 1
    return _number(name, required) if use is None and at > 0 else None


def _no_tensors(required: Sequence[str], uses: Mapping[str, Use]) -> tuple[list[tuple[Extra, ...]], list[Wrap]]:
    """The arguments that are no tensors, in each way of passing them; and tensors that are wrapped."""
    fixed, models, modes = [], [], []
    for at, name in enumerate(required):
        use = uses.get(name)
        if use is not None and use.sort in (MODEL, SCORED):
            models.append(Extra(name, at, sort=use.sort))
        elif use is not None and use.sort == MODE:
            modes.append((Extra(name, at, sort=MODE), use.values))
        elif use is not None and use.sort == CONSTANT:
            fixed.append(Extra(name, at, sort=NUMBER, value=use.values[0]))
        elif (number := _number_of(name, at, use, required)) is not None:
            fixed.append(Extra(name, at, sort=NUMBER, value=number))
    if len(required) - len(models) - len(modes) - len(fixed) < 1:
        fixed = []
    skipped = {each.name for each in (*fixed, *models)} | {each.name for each, _ in modes}
    places = [name for name in required if name not in skipped]
    wraps = [
        Wrap(at, use.sort, tuple(map(str, use.values)), star=use.star)
        for at, name in enumerate(places)
        if (use := uses.get(name)) is not None and use.sort not in (COUNT, CONSTANT)
    ]
    found = []
    scored = next((use for use in uses.values() if use.sort == SCORED), None)
    outs: Sequence[Any] = MODELS_OUT if models else (1,)
    if scored is not None:
        outs = (0, 1, 2, 3)
    for out in outs:
        for n in range(max((len(values) for _, values in modes), default=1)):
            chosen = [replace(each, value=values[min(n, len(values) - 1)]) for each, values in modes]
            extras = (*fixed, *(replace(each, value=out) for each in models), *chosen)
            found.append(tuple(sorted(extras, key=lambda extra: extra.at)))
    return found, wraps


def loss_of(result: Any) -> tuple[Tensor, str]:
    """The loss in the result of a criterion, and its place: the part called loss, otherwise the first single number."""
    if isinstance(result, Tensor):
        return result, ""
    if isinstance(result, (int, float)):
        return torch.tensor(float(result)), "a Python number"
    if isinstance(result, list) and _of_samples(result):
        return torch.cat([each.reshape(len(each), -1) for each in result], 1), "all values of the list"
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


def _of_samples(results: list[Any]) -> bool:
    """Whether a list holds tensors of the same number of samples."""
    return (
        all(isinstance(each, Tensor) and each.dim() for each in results) and len({len(each) for each in results}) == 1
    )


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
