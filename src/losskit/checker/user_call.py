"""The call that a user shows: a batch in a file, or the arguments that a function returns."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from losskit.building import references
from losskit.checker.trees import tree_of

Example = str | Callable[[], Any] | tuple[Any, ...]
_WANTED = (
    "It must be the arguments of one call: a tuple, a dict of arguments by name, or (tuple, dict). "
    "They may be tensors, lists, tuples and dicts of tensors, models, numbers, text and None."
)
_INPUTS = ("input", "inputs", "logits", "output", "outputs", "pred", "preds", "prediction", "predictions")
_TARGETS = ("target", "targets", "label", "labels", "truth", "mask", "masks", "y")


def example_of(example: Example) -> Any:
    """What an example returns: a function in a file, a function, or the arguments themselves."""
    if callable(example):
        return _checked(_made(example, getattr(example, "__name__", "the example")), "the example")
    if not isinstance(example, str):
        return _checked(example, "the example")
    if ".py" not in example:
        return load(Path(example))
    place, _, name = example.rpartition(":")
    if not place.endswith(".py"):
        known = ", ".join(f"{example}:{each}" for each in references.losses_in(example)) or f"{example}:make_batch"
        raise ValueError(f"{example} is a file; name its function that returns the arguments of one call: {known}.")
    found = references.load(references.Reference(place, name))
    return _checked(_made(found, example) if callable(found) else found, example)


def _made(function: Callable[..., Any], name: str) -> Any:
    missing = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if missing:
        raise ValueError(f"{name} takes {', '.join(missing)}; it must take no arguments. {_WANTED}")
    try:
        return function()
    except Exception as error:
        raise ValueError(f"{name} raises {type(error).__name__}: {error}") from error


def _checked(made: Any, name: str) -> Any:
    """A call without the gradients of its tensors, or an error that says what is no argument."""
    if made is None or isinstance(made, (str, int, float, nn.Module)) or inspect.isgenerator(made):
        raise ValueError(f"{name} returns {_said(made)}. {_WANTED}")
    made = (made,) if isinstance(made, (Tensor, np.ndarray)) else made
    held = made.items() if isinstance(made, Mapping) else enumerate(made, 1)
    for key, each in held:
        wrong = next(_foreign(each), None)
        if wrong is not None:
            raise ValueError(f"{name}: argument {key} is {_said(each, wrong)}. {_WANTED}")
    return _detached(made)


def _said(made: Any, part: Any = None) -> str:
    kind = "None" if made is None else type(made).__name__
    return kind if part is None or part is made else f"{kind} with {type(part).__name__}"


def _foreign(value: Any) -> Iterator[Any]:
    """What is in an argument and can be no part of one."""
    if isinstance(value, np.ndarray) or inspect.isgenerator(value):
        yield value
    elif isinstance(value, (Tensor, nn.Module)) or callable(value):
        return
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _foreign(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _foreign(each)
    elif not is_dataclass(value) and not _can_be_sent(value):
        yield value


def _can_be_sent(value: Any) -> bool:
    """Whether another process can take a value."""
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - whatever its class raises
        return False
    return type(value).__module__.split(".")[0] in ("builtins", "torch", "numpy")


def _detached(value: Any) -> Any:
    tree, tensors = tree_of(value)
    return tree.grown(iter([each.detach().cpu() for each in tensors]))


def load(path: Path) -> Any:
    """The arguments of a call from a torch.save file: a tuple, or a dict with names for them."""
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(
            f"There is no file {path}. Save a batch with torch.save((input, target), {str(path)!r})."
        ) from None
    except Exception as error:
        raise ValueError(f"{path} does not load: {error}") from error
    if isinstance(held, Mapping):
        names = [next((n for n in each if n in held), None) for each in (_INPUTS, _TARGETS)]
        if None not in names:
            rest = [value for name, value in held.items() if name not in names]
            held = (held[names[0]], held[names[1]], *rest)
    if isinstance(held, Tensor):
        raise ValueError(f"{path} is one tensor; it must be (input, target), or a dict with these names.")
    return _checked(held, str(path))
