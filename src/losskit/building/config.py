"""A loss from a config: a mapping, as JSON, YAML or TOML give it; errors state the path of the place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from torch import nn

from losskit.building.evaluating import Evaluation
from losskit.core.algebra import WeightedSum
from losskit.core.domains import quoted
from losskit.core.loss import Loss
from losskit.core.operands import as_loss

T = TypeVar("T")
_FORMS = 'Write {"loss": "dice", "smooth": 1.0}, {"dice": {"smooth": 1.0}} or {"sum": [...]}.'


def single(loss: Any, references: bool) -> Loss:
    """The loss of a text, a module or a function."""
    return Evaluation(loss, references).loss() if isinstance(loss, str) else as_loss(loss)


def from_config(config: Any, place: str, references: bool) -> Loss:
    """The loss of one node of a config; `place` is its path, such as `sum[1]`."""
    if isinstance(config, (nn.Module, str)) or (callable(config) and not isinstance(config, (type, Mapping))):
        return _located(place, lambda: single(config, references))
    if not isinstance(config, Mapping):
        raise ValueError(f"{place or 'config'}: expected text or a mapping; got {quoted(config)}. {_FORMS}")
    if not config:
        raise ValueError(f"{place or 'config'}: expected a loss; the mapping is empty. {_FORMS}")
    rest = dict(config)
    if "sum" in rest or "loss" in rest:
        weight = _weight(rest.pop("weight", 1), place)
        loss = _sum(rest, place, references) if "sum" in rest else _one(rest.pop("loss"), rest, place, references)
        return loss if weight == 1 else weight * loss
    if len(rest) > 1:
        known = " and ".join(map(quoted, list(rest)[:8]))
        raise ValueError(f"{place or 'config'}: {known} do not say which loss this is. {_FORMS}")
    ((name, options),) = rest.items()
    if options is not None and not isinstance(options, Mapping):
        said = f"{quoted(name)} takes a mapping of its options; got {quoted(options)}"
        raise ValueError(f"{place or 'config'}: {said}. {_FORMS}")
    return _one(name, dict(options or {}), place, references)


def _sum(config: dict[str, Any], place: str, references: bool) -> Loss:
    items = config.pop("sum")
    if config:
        name = quoted(next(iter(config)))
        raise ValueError(f"{place or 'config'}: a sum has no {name}; options belong to its losses.")
    if isinstance(items, (str, Mapping)) or not isinstance(items, Sequence) or not items:
        raise ValueError(f"{place or 'config'}: sum takes a list of losses; got {quoted(items)}. {_FORMS}")
    terms = [
        (1.0, from_config(item, f"{place}{'.' if place else ''}sum[{i}]", references)) for i, item in enumerate(items)
    ]
    return _located(place, lambda: WeightedSum(list(terms)))


def _one(name: Any, options: dict[str, Any], place: str, references: bool) -> Loss:
    if not options:
        return from_config(name, place, references)
    if not isinstance(name, str):
        raise ValueError(
            f"{place or 'config'}: the options {', '.join(options)} need the name of a loss; got {quoted(name)}."
        )
    text = [key for key, value in options.items() if isinstance(value, str) and _is_number(value)][:1]
    advice = "".join(f" {quoted(key)} is text here: YAML needs the point in 1.0e-3." for key in text)
    return _located(place, lambda: Evaluation(name, references).named(options), advice)


def _weight(weight: Any, place: str) -> float:
    if isinstance(weight, bool) or not isinstance(weight, (int, float)):
        advice = "YAML needs the point in 1.0e-3" if isinstance(weight, str) else "per-class weights are class_weight"
        raise ValueError(
            f"{place or 'config'}: weight multiplies the loss, so it is one number; got {quoted(weight)}. ({advice}.)"
        )
    return weight


def _located(place: str, make_loss: Callable[[], T], advice: str = "") -> T:
    try:
        return make_loss()
    except (TypeError, ValueError) as error:
        said, *lines = str(error).split("\n")
        raise ValueError("\n".join([f"{place}: {said}{advice}" if place else f"{said}{advice}", *lines])) from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
