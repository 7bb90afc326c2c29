"""The entries of a loss in the index of the Python API: its class, its call and its function form."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import losskit
from losskit import compose, functional
from losskit.core.catalogue import Entry, names_of

# The arguments of a call; the other ones are tensors, which the shapes of the loss describe.
_ARGUMENTS = {
    "weight": "Factors of the elements or samples. A mean is divided by their sum.",
    "mask": "Bool, False where an element or a sample is left out.",
    "normalizer": "A number that replaces the denominator of the mean, such as the number of positive elements.",
    "whole": "The sums of a larger batch of which these tensors are a part: see :doc:`/many-machines`.",
    "distances": "The signed distances of the target, if they are computed in advance by `losskit.signed_distance`.",
    "skeleton": "The skeleton of the target, if it is computed in advance.",
    "blobs": "The objects of the target as positive integers, 0 elsewhere, instead of its connected components.",
    "num_masks": "The number of masks by which the sum is divided, instead of M.",
    "points": "The positions at which the masks are read, in [0, 1], instead of every pixel.",
    "generator": "The source of random numbers.",
    "inputs": "The tensor with respect to which `output` is differentiated.",
    "target_grad": "The derivatives of the target with respect to `inputs`.",
}


def entries_of(entry: Entry, shapes: str) -> str:
    """The class with its `forward`, the function form, and their other names in losskit."""
    cls, form = entry.loss, getattr(functional, entry.name)
    assert getattr(losskit, cls.__name__) is cls
    constructor = _text(inspect.signature(cls).parameters.values())
    called = [p for p in inspect.signature(form).parameters.values() if p.name not in cls.options]
    function = _text([*called, inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD)])
    same = f"The same computation as a function, with the options of `{cls.__name__}` as keyword arguments."
    shown = [
        _directive("class", "losskit", cls.__name__, constructor, call(cls, shapes)),
        *(
            _directive("class", "losskit", name, constructor, f"Another name of `{cls.__name__}`.")
            for name in _other_names(losskit, cls)
        ),
        _directive("function", "losskit.functional", entry.name, function, same),
        *(
            _directive("function", "losskit.functional", name, function, f"Another name of `{entry.name}`.")
            for name in _other_names(functional, form)
        ),
    ]
    return "\n\n".join(shown)


def call(cls: Any, shapes: str) -> str:
    """The entry of `forward`, with each of its arguments."""
    parameters = list(inspect.signature(cls.forward).parameters.values())[1:]
    tensors = ", ".join(f"``{p.name}``" for p in parameters if p.name not in _ARGUMENTS)
    described = [f"{tensors}\n   {shapes}"]
    described += [f"``{p.name}``\n   {_ARGUMENTS[p.name]}" for p in parameters if p.name in _ARGUMENTS]
    return f".. py:method:: forward{_text(parameters)}\n\n" + textwrap.indent("\n\n".join(described), "   ")


def index(cls: Any) -> str:
    """The names of a loss as entries of the index, which the search ranks first."""
    lines = [f"   ! single: {name}" for name in dict.fromkeys([*names_of(cls), *_usual(names_of(cls))])]
    return "\n".join([".. index::", *lines])


def name_twice(_app: Sphinx, env: BuildEnvironment) -> None:
    """List the losses of `losskit.compose`, which are documented as names of `losskit`, under both names."""
    known = env.get_domain("py").objects  # type: ignore[attr-defined]
    for name in dir(compose):
        if f"losskit.compose.{name}" not in known:
            known[f"losskit.compose.{name}"] = known[f"losskit.{name}"]._replace(aliased=True)


def _usual(names: Iterable[str]) -> list[str]:
    """Class names that other code derives from the short names: bce, BCELoss."""
    return [
        "".join(word.upper() if len(word) <= 4 else word.capitalize() for word in name.split("_")) + "Loss"
        for name in names
        if name.islower() and "loss" not in name
    ]


def _other_names(module: Any, found: Any) -> list[str]:
    return [name for name, value in vars(module).items() if value is found and name != found.__name__]


def _directive(kind: str, module: str, name: str, signature: str, body: str) -> str:
    head = f".. py:currentmodule:: {module}\n\n.. py:{kind}:: {name}{signature}"
    return f"{head}\n\n{textwrap.indent(body, '   ')}"


def _text(parameters: Iterable[inspect.Parameter]) -> str:
    """A signature with its defaults and without its types."""
    return str(inspect.Signature([p.replace(annotation=p.empty) for p in parameters]))
