"""Option values for hypothesis, from the domains that losses declare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Le, Lt
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import Module

from inputs import Case
from losskit.core.domains import PerClass, PerPair
from losskit.core.options import Option

PLAIN: dict[Any, list[Any]] = {
    bool: [False, True],
    float: [-1.5, 0.0, 0.5, 2.0],
    int: [0, 1, 2, 3],
    nn.Parameter: [],  # learned: tested in the tests of the loss
    Tensor: [],
}
APART = {"reduction", "empty", "mode", "ignore_index", "from_logits"}  # each tested separately
Options = dict[str, Any]


def value_of(annotation: Any, classes: int) -> st.SearchStrategy[Any]:
    known = values_of(annotation, classes)
    return st.sampled_from(known) if known else st.nothing()


def values_of(annotation: Any, classes: int) -> list[Any]:
    """Values of a domain, including its bounds, for losses with this number of classes."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        if any(isinstance(item, PerClass) for item in arguments[1:]):
            numbers = [0.25, 3.0, 1.0, 0.5]
            return [(numbers[i:] + numbers[:i] + numbers * classes)[:classes] for i in range(len(numbers))]
        if any(isinstance(item, PerPair) for item in arguments[1:]):
            far = [[float(a != b) for b in range(classes)] for a in range(classes)]
            return [[[v * (1 + a) for v in row] for a, row in enumerate(far)], far]
        numbers = _bounded(arguments[1:])
        return sorted({max(1, round(v)) for v in numbers}) if arguments[0] is int else numbers
    if origin is Literal:
        return list(arguments)
    if origin in (Union, UnionType):
        return [value for argument in arguments for value in values_of(argument, classes)]
    if annotation in (None, type(None)):
        return [None]
    if annotation in PLAIN:
        return PLAIN[annotation]
    if origin in (Sequence, get_origin(Sequence[int]), list, tuple) and arguments[0] is int:
        several = range(1, classes + 1)
        return [list(chosen) for size in several for chosen in combinations(range(classes), size)]
    if origin is get_origin(Sequence[int]):
        return []  # one per spatial dimension: tested in the tests of the loss
    if origin is get_origin(Callable[..., Any]) or (isinstance(annotation, type) and issubclass(annotation, Module)):
        return []
    raise LookupError(f"no values are known for an option of {annotation}: add them to values_of in tests/domains.py")


def accepted(option: Option, value: Any) -> bool:
    try:
        option.domain.check("Loss", option.name, value)
    except (TypeError, ValueError):
        return False
    return True


def _bounded(metadata: tuple[Any, ...]) -> list[float]:
    low, high, open_low, open_high = 0.0, 3.0, False, False
    for item in metadata:
        ge, gt, le, lt = (getattr(item, name, None) for name in ("ge", "gt", "le", "lt"))
        assert isinstance(item, (Ge, Gt, Le, Lt, Interval))
        low = next((v for v in (ge, gt) if v is not None), low)
        high = next((v for v in (le, lt) if v is not None), high)
        open_low, open_high = open_low or gt is not None, open_high or lt is not None
    inner = [low + (high - low) * share for share in (0.2, 0.5, 0.9)]
    ends = ([] if open_low else [low]) + ([] if open_high else [high])
    return [*inner, *ends]


def usable(case: Case, options: Options) -> bool:
    """Whether options that are valid separately are also valid together in this case."""
    if options.get("log") and case.has("smooth") and not options.get("smooth"):  # log-Dice is infinite without overlap
        return False
    if options.get("learnable") and not 0 < options.get("alpha", 1.0) < 2:  # no density, or none learned
        return False
    if options.get("num_splits", 3) != 3:  # the inputs hold three views
        return False
    if (options.get("positive") is None) != (options.get("negative") is None):  # together
        return False
    if options.get("bin_counts") is not None and len(options["bin_counts"]) != options.get("bins", 10):
        return False
    if options.get("squared") and options.get("overlap") == "l1":  # refused: no lower bound
        return False
    return not (case.softmax and case.entry.name in ONE_EACH and isinstance(options.get("alpha"), (int, float)))


ONE_EACH = {"focal_loss", "dice_focal_loss", "generalized_dice_focal_loss"}  # one alpha per class under softmax


def options_of(case: Case, classes: int) -> st.SearchStrategy[Options]:
    """Any of the options that change the formula of a case, for inputs with this number of classes."""
    known = {
        name: value_of(declared.domain.annotation, classes)
        for name, declared in case.loss.options.items()
        if name not in {*APART, *case.options}
    }
    return st.fixed_dictionaries({}, optional=known).filter(lambda options: usable(case, options))


def alternatives(case: Case, name: str, classes: int) -> list[Any]:
    """Values of one option from its domain, other than its default, that the case accepts alone."""
    declared = case.loss.options[name]
    found = [v for v in values_of(declared.domain.annotation, classes) if v != declared.default]
    return [v for v in found if usable(case, {name: v})]
