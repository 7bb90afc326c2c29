"""Option values for hypothesis, from the domains that losses declare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Le, Lt
from hypothesis import strategies as st

from cases import Case
from losskit.core.domains import PerClass

APART = {"reduction", "empty", "mode", "ignore_index", "from_logits"}  # tested each for itself
Options = dict[str, Any]


def value_of(annotation: Any, classes: int) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        if any(isinstance(item, PerClass) for item in arguments[1:]):
            return st.lists(st.sampled_from([0.25, 0.5, 1.0, 3.0]), min_size=classes, max_size=classes)
        return _bounded(arguments[1:])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, UnionType):
        return st.one_of(*(value_of(a, classes) for a in arguments))
    if annotation in (None, type(None)):
        return st.none()
    if annotation is bool:
        return st.booleans()
    if annotation is float:
        return st.sampled_from([-1.5, 0.0, 0.5, 2.0])
    if annotation is int:
        return st.integers(0, 3)
    if origin in (Sequence, get_origin(Sequence[int]), list, tuple) and arguments[0] is int:
        return st.lists(st.integers(0, classes - 1), min_size=1, max_size=classes, unique=True)
    if origin is get_origin(Sequence[int]):
        return st.nothing()  # as long as the input has spatial dimensions: the loss's own tests
    if origin is get_origin(Callable[..., Any]):
        return st.nothing()
    raise LookupError(f"no values are known for an option of {annotation}")


def _bounded(metadata: tuple[Any, ...]) -> st.SearchStrategy[float]:
    low, high, open_low, open_high = 0.0, 3.0, False, False
    for item in metadata:
        ge, gt, le, lt = (getattr(item, name, None) for name in ("ge", "gt", "le", "lt"))
        assert isinstance(item, (Ge, Gt, Le, Lt, Interval))
        low = next((v for v in (ge, gt) if v is not None), low)
        high = next((v for v in (le, lt) if v is not None), high)
        open_low, open_high = open_low or gt is not None, open_high or lt is not None
    inner = [low + (high - low) * share for share in (0.2, 0.5, 0.9)]
    ends = ([] if open_low else [low]) + ([] if open_high else [high])
    return st.sampled_from([*inner, *ends])


def usable(case: Case, options: Options) -> bool:
    """Whether options that are valid one by one go together in this case."""
    if options.get("log") and not options.get("smooth"):  # log-Dice is infinite without overlap
        return False
    if options.get("squared") and options.get("overlap") == "l1":  # refused: no lower bound
        return False
    return not (case.softmax and case.entry.name in ONE_EACH and isinstance(options.get("alpha"), (int, float)))


ONE_EACH = {"focal_loss", "dice_focal_loss"}  # one alpha per class under softmax


def options_of(case: Case, classes: int) -> st.SearchStrategy[Options]:
    """Any of the options that change the formula of a case, on inputs of so many classes."""
    known = {
        name: value_of(declared.domain.annotation, classes)
        for name, declared in case.loss.options.items()
        if name not in {*APART, *case.options}
    }
    return st.fixed_dictionaries({}, optional=known).filter(lambda options: usable(case, options))
