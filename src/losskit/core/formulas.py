"""The formulas of losses as programs: recorded once for a class, and specialized to the options of an instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor

from losskit.ops import agreement, formula
from losskit.ops.captured import Uses, Watched
from losskit.ops.formula import Graph, Kind, Numbers, Program
from losskit.ops.programs import structure_of
from losskit.ops.tape import Untraceable

_MOST_KEPT = 64  # of a class, for a sweep over options must not grow without end
_OWN = ("losskit.", "torch.", "builtins", "typing", "abc")


class _Class:
    """What is kept of the formula of a class."""

    def __init__(self) -> None:
        self.graphs: dict[Any, Graph | str] = {}
        self.programs: dict[Any, Program | str] = {}


_classes: WeakKeyDictionary[type, _Class] = WeakKeyDictionary()


def program_of(
    loss: Any, method: str, elements: int, kind: Kind, shape: Sequence[int], watched: dict[Any, Watched]
) -> Program:
    """The program of `loss.method(*tensors)`, a formula of each element, for tensors of this shape.

    `watched` receives the values outside the loss that the formula reads. Raises Untraceable.
    """
    read = values_read(loss)
    numbers, fixed = _options(loss)
    kept = _classes.setdefault(type(loss), _Class())
    key = method, tuple([(type(each.value), each.value) for each in read]), fixed
    try:
        hash(key)
    except TypeError:
        raise Untraceable("an option is a list") from None

    def run(tensors: Sequence[Tensor], given: Numbers) -> Tensor:
        result: Tensor = getattr(_with_numbers(loss, given), method)(*tensors)
        return result

    graph = _kept(kept.graphs, (key, tuple(numbers)), lambda: formula.record(run, elements, numbers, kind))
    if isinstance(graph, str):  # Python needs the numbers themselves
        by_value = (key, tuple(numbers.items()))
        graph = _kept(kept.graphs, by_value, lambda: formula.record(_fixed(run, numbers), elements, {}, kind))
        if isinstance(graph, str):
            raise Untraceable(graph)
        given: Numbers = {}
        form = _fixed(run, numbers)
    else:
        given, form = numbers, run
    sizes = tuple(shape) if graph.reads_shape else len(shape)

    def checked() -> Program:
        made = formula.specialize(graph, given)
        structure_of(made)
        agreement.check(made, form, given, kind, [shape] if graph.reads_shape else [], len(shape))
        return made

    program = _kept(kept.programs, (key, tuple(numbers.items()), sizes), checked)
    if isinstance(program, str):
        raise Untraceable(program)
    watched.update({(id(loss), k): each for k, each in enumerate(read)})
    found: Program = program
    return found


def _kept(places: dict[Any, Any], key: Any, make: Any) -> Any:
    """What was made under a key, or the reason why it could not be."""
    if key not in places:
        if len(places) >= _MOST_KEPT:
            places.clear()
        try:
            places[key] = make()
        except Untraceable as reason:
            places[key] = str(reason)
    return places[key]


def _fixed(run: Any, numbers: Numbers) -> Any:
    return lambda tensors, given: run(tensors, numbers)  # noqa: ARG005


def _options(loss: Any) -> tuple[Numbers, tuple[Any, ...]]:
    """The options that are numbers, by name, and the values of all others; raises Untraceable for tensors."""
    numbers: Numbers = {}
    fixed = []
    for name in loss.options:
        value = getattr(loss, name)
        if isinstance(value, Tensor):
            if name not in ("class_weight", "pos_weight", "alpha"):  # which act on sums
                raise Untraceable(f"its option {name} is a tensor")
        elif type(value) is float:
            numbers[name] = value
        else:
            fixed.append((name, type(value), value))
    return numbers, tuple(fixed)


def _with_numbers(loss: Any, numbers: Numbers) -> Any:
    twin = object.__new__(type(loss))
    twin.__dict__.update(loss.__dict__, **numbers)
    return twin


def values_read(loss: Any) -> tuple[Watched, ...]:
    """The plain values that the formula of a user's loss depends on; raises Untraceable where others are used."""
    uses = Uses()
    written = getattr(type(loss), "of_function", None)
    if written is not None:
        uses.add_function(written)
        return tuple(uses.watched)
    foreign = [base for base in type(loss).__mro__ if not f"{base.__module__}.".startswith(_OWN)]
    for base in foreign:
        if base is not object:
            uses.add_class(base)
    if len(foreign) > 1:
        own = uses.attributes - set(loss.options)
        for base in foreign:
            uses.add_attributes(own - _SET_BY_LOSSKIT, vars(base))
        uses.add_attributes(own - _SET_BY_LOSSKIT, vars(loss))
        for held in ("_buffers", "_parameters", "_modules"):
            if found := own & set(vars(loss)[held]):
                raise Untraceable(f"it uses self.{sorted(found)[0]}, a tensor or a module of its own")
    return tuple(uses.watched)


_SET_BY_LOSSKIT = frozenset(("options", "tensors", "plans", "generation", "training"))
