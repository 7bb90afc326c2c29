"""Formulas of losses as programs: recorded once per class, and specialized to the options of an instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from losskit.ops import agreement, formula
from losskit.ops.captured import Watched, exact, values_read
from losskit.ops.formula import Graph, Kind, Numbers, Program
from losskit.ops.programs import structure_of
from losskit.ops.tape import Untraceable
from losskit.ops.twins import with_attributes

_MOST_GRAPHS = 64  # per class: a value that changes at each call does not cause endless recording
_MOST_PROGRAMS = 64  # per class: bounds the memory of a sweep over options
_Made = TypeVar("_Made")


class _Kept:
    """The cached graphs and programs of a class, or the reason why one could not be made."""

    def __init__(self) -> None:
        self.graphs: dict[Any, Graph | str] = {}
        self.programs: dict[Any, list[Program] | str] = {}


def program_of(
    loss: Any, method: str, elements: int, kind: Kind, shape: Sequence[int], watched: dict[Any, Watched]
) -> Program:
    """The program of `loss.method(*tensors)`, an element-wise formula, for tensors of this shape.

    `watched` receives the values outside the loss that the formula reads. Raises Untraceable.
    """
    return programs_of(loss, method, elements, kind, shape, watched, {})[0]


def programs_of(
    loss: Any, method: str, elements: int, kind: Kind, shape: Sequence[int], watched: dict[Any, Watched],
    tensors: Mapping[str, Tensor],
) -> list[Program]:  # fmt: skip
    """The same with tensors of one number as attributes, and the programs of the derivatives by each of them."""
    read = values_read(loss, method)
    numbers, fixed = _options(loss, tensors)
    samples = {name: float(tensor.detach()) for name, tensor in tensors.items()}
    kept = _kept_of(type(loss))
    key = method, tuple([exact(each.value) for each in read]), fixed, tuple(tensors)

    def run(tensors: Sequence[Tensor], given: Numbers) -> Tensor:
        result: Tensor = getattr(with_attributes(loss, given), method)(*tensors)
        return result

    def run_fixed(tensors: Sequence[Tensor], given: Numbers) -> Tensor:
        return run(tensors, {**numbers, **given})

    def programs(form: formula.Formula, given: Numbers, of_graph: Any) -> list[Program]:
        graph = _kept(kept.graphs, of_graph, lambda: formula.record(form, elements, given, kind, samples), _MOST_GRAPHS)
        sizes = tuple(shape) if graph.reads_shape else len(shape)

        def checked() -> list[Program]:
            made = formula.specialize(graph, given)
            for each in made:
                structure_of(each)
            try:
                agreement.check(made, form, given, kind, [shape] if graph.reads_shape else [], len(shape), samples)
            except Untraceable as reason:
                raise Untraceable(f"{reason} (it reads its shape)" if graph.reads_shape else str(reason)) from None
            return made

        of_program = of_graph, exact(tuple(given.values())), sizes
        if len(kept.programs) >= _MOST_PROGRAMS:
            kept.programs = {}
        return _kept(kept.programs, of_program, checked, _MOST_PROGRAMS + 1)

    try:
        found = programs(run, numbers, (key, tuple(numbers)))
    except Untraceable:
        if not numbers:
            raise
        found = programs(run_fixed, {}, (key, exact(tuple(numbers.items()))))  # Python may need the numbers themselves
    watched.update({(id(loss), k): each for k, each in enumerate(read)})
    return found


def _kept_of(cls: type) -> _Kept:
    """The cache of a class, an attribute of it, so that both are freed together."""
    if "_formulas_kept" not in cls.__dict__:
        cls._formulas_kept = _Kept()  # type: ignore[attr-defined]
    found: _Kept = cls.__dict__["_formulas_kept"]
    return found


def _kept(places: dict[Any, _Made | str], key: Any, make: Callable[[], _Made], most: int) -> _Made:
    """The cached value of a key, made if missing; raises Untraceable if it cannot be made."""
    found = places.get(key)
    if found is None:
        if len(places) >= most:
            raise Untraceable(f"the Python values that it reads had more than {most} different values")
        try:
            with torch.inference_mode(False):
                found = make()
        except Untraceable as reason:
            found = str(reason)
        places[key] = found
    if isinstance(found, str):
        raise Untraceable(found)
    return found


def _options(loss: Any, tensors: Mapping[str, Tensor]) -> tuple[Numbers, Any]:
    """The options that are numbers, by name, and what tells all others from others; raises Untraceable for tensors."""
    numbers: Numbers = {}
    fixed: list[tuple[Any, ...]] = []
    for name in loss.options:
        value = getattr(loss, name)
        if name in tensors:
            continue
        if isinstance(value, Tensor):
            if name not in ("class_weight", "pos_weight", "alpha"):  # which act on sums
                raise Untraceable(f"its option {name} is a tensor")
            fixed.append((name, value.shape, value.dtype))
        elif isinstance(value, list):
            raise Untraceable(f"its option {name} is a list: make it a tuple")
        elif type(value) is float:
            numbers[name] = value
        else:
            fixed.append((name, exact(value)))
    return numbers, tuple(fixed)
