"""Words: the names and the documentation of a loss, the shapes that it documents, and what it promises."""

from __future__ import annotations

import fnmatch
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

_LONGEST = 1500  # characters: longer documentation describes cases that depend on options
_WORD = (
    r"batch(?:_size)?|num_\w+|n_\w+|classes|channels|height|width|seq(?:_len(?:gth)?)?|vocab(?:_size)?|"
    r"time(?:_?steps)?|horizon|length|\w*_?dim|(?:in|out)_features|quantiles|points|queries|atoms|joints|frames|"
    r"(?:latent|hidden|embed\w*)(?:_size)?|positions|letters|tokens"
)
_SIZE = rf"(?:(?i:{_WORD})|[A-Z][\w']*(?:\s*[-+*/]\s*\d+)?|\d+|\*|\.\.\.)"
_SHAPE = re.compile(rf"\(\s*({_SIZE}(?:\s*,\s*{_SIZE})*)\s*,?\s*\)")
_LETTER = re.compile(rf"{_WORD}|[A-Z]{{1,2}}(\d|_|[-+*/]|$)|\d|[*.]")
_CROSSED = re.compile(r"(?<![\w*])([A-Z]\w?)((?: ?[x\u00d7] ?(?:[A-Z]\w?|\d+))+)(?!\w)")  # B x C x H x W
_SQUARE = re.compile(r"\[([A-Z]\w?(?:, ?(?:[A-Z]\w?|\d+))+)\]")
_ALL = re.compile(r"\b(all|both|every|tensors)\b", re.IGNORECASE)
_TUPLE = re.compile(r"\([^()]*,[^()]*\)")  # sizes in other words
_END = re.compile(r"[;\n]|\.\s|\.$")


@dataclass(frozen=True)
class Words:
    """What a loss says about itself."""

    names: str = ""  # its name and those of its parameters, in lower case
    text: str = ""  # its documentation
    shapes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # documented sizes of a parameter
    clauses: Mapping[str, str] = field(default_factory=dict)  # the clauses that mention a parameter, in lower case
    code: str = ""  # its source and the name of its file, in lower case; empty if there is none

    @property
    def all(self) -> str:
        return " ".join(f"{self.names} {self.text.lower()}".split())

    @property
    def broadcast(self) -> bool:
        """Whether the documented shapes of two parameters differ by a dimension of 1, (N, 1) and (N,)."""
        shapes = list(self.shapes.values())[:2]
        return (
            len(shapes) == 2
            and shapes[0] != shapes[1]
            and [e for e in shapes[0] if e != "1"] == [e for e in shapes[1] if e != "1"]
        )

    @property
    def alike(self) -> bool:
        """Whether two parameters, the prediction and its target, are documented with one shape."""
        shapes = list(self.shapes.values())[:2]
        return len(shapes) == 2 and shapes[0] == shapes[1]

    @property
    def differ(self) -> bool:
        """Whether the documentation says that a prediction has a dimension of 1 more than its target, or less."""
        return self.broadcast or self.say(r"\((n|b), ?1\)|linear layer|regression head|column")

    def say(self, pattern: str) -> bool:
        """Whether the documentation contains this."""
        return re.search(pattern, " ".join(self.text.split()), re.IGNORECASE) is not None


def words_of(criterion: Callable[..., Any], name: str, parameters: Sequence[str]) -> Words:
    text = documentation(criterion)
    names = " ".join([name, *parameters]).lower()
    return Words(names, text, shapes_in(text, parameters), _clauses(text, parameters), code_of(criterion))


def code_of(criterion: Callable[..., Any]) -> str:
    """The source of a class or function of a user, with its comments, and the name of its file, in lower case."""
    if isinstance(criterion, functools.partial):
        criterion = criterion.func
    owner = type(criterion) if isinstance(criterion, nn.Module) else criterion
    if (getattr(owner, "__module__", None) or "").split(".")[0] in ("torch", "losskit"):
        return ""
    try:
        return f"{Path(inspect.getfile(owner)).stem} {inspect.getsource(owner)}".lower()
    except (TypeError, OSError):
        return ""


def helper_functions(criterion: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The functions of the same file that a loss calls or stores."""
    if isinstance(criterion, functools.partial):
        criterion = criterion.func
    function = getattr(type(criterion), "forward", criterion) if isinstance(criterion, nn.Module) else criterion
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    known = getattr(function, "__globals__", {})
    stored = vars(criterion).values() if isinstance(criterion, nn.Module) else ()
    found = (each for each in (*(known.get(name) for name in names), *stored) if inspect.isfunction(each))
    own = getattr(function, "__module__", None)
    return [each for each in dict.fromkeys(found) if each.__module__ == own]


def helpers_of(criterion: Callable[..., Any]) -> str:
    """The source of the functions of the same file that a loss calls or stores, in lower case."""
    sources = []
    for each in helper_functions(criterion):
        try:
            sources.append(inspect.getsource(each).lower())
        except (OSError, TypeError):
            continue
    return "\n".join(sources)


_OPEN = r"strictly (between|inside|within)|open interval|clamped (sigmoid|outputs?|probabilities)|in \(0, ?1\)"


def within_open_interval(criterion: Callable[..., Any], words: Words) -> bool:
    """Whether the loss, or a function that it calls, documents probabilities that are neither 0 nor 1."""
    return re.search(_OPEN, f"{words.text.lower()} {helpers_of(criterion)}") is not None


def documentation(criterion: Callable[..., Any]) -> str:
    """The docstrings of a class and its forward, or of a function; empty if they are long."""
    if isinstance(criterion, functools.partial):
        criterion = criterion.func
    if isinstance(criterion, nn.Module):
        said = [type(criterion).__doc__, type(criterion).forward.__doc__]
    else:
        said = [getattr(criterion, "__doc__", None)]
    text = "\n".join(each for each in said if each)
    return text if len(text) < _LONGEST else ""


def shapes_in(text: str, parameters: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The documented sizes of parameters: `pred, target (N, C)` documents both; those with two shapes are left out."""
    found: dict[str, set[tuple[str, ...]]] = {}
    rest: set[tuple[str, ...]] = set()
    start, named = 0, []
    text = _SQUARE.sub(r"(\1)", _CROSSED.sub(_as_tuple, text))
    for match in _SHAPE.finditer(text):
        sizes = tuple(_size_of(each) for each in match[1].split(","))
        if "," not in match[0] or not all(map(_LETTER.match, sizes)):
            continue
        before = _TUPLE.split(_END.split(text[start : match.start()])[-1])[-1]
        start = match.end()
        if before.strip() != "or":  # another shape of the same parameters
            named = [name for name in parameters if re.search(rf"\b{re.escape(name)}\b", before, re.IGNORECASE)]
            named = named or _called_alike(before, parameters)
            if not named and re.match(r"\W*((its|the|of) )?(shapes?|size)\b", before, re.IGNORECASE):
                named = _described(text[: match.start()], parameters)
        for name in named:
            found.setdefault(name, set()).add(sizes)
        if not named and (_ALL.search(before) or re.match(r"\s*each", text[start:])):
            rest.add(sizes)
    if len(rest) == 1:
        (sizes,) = rest
        found = {**{name: {sizes} for name in parameters}, **found}
    return {name: next(iter(each)) for name, each in found.items() if len(each) == 1}


def _described(text: str, parameters: Sequence[str]) -> list[str]:
    """The parameter whose description ends here: `input: mean and variance. Shape: (N, C)`."""
    line = text.rpartition("\n")[2]
    found = re.match(r"\s*(\w+)\b ?[:(]", line)
    return [found[1]] if found is not None and found[1] in parameters else []


def _size_of(text: str) -> str:
    """A size as it is documented: a letter, or a word, `Num_Texts`, in lower case."""
    size = re.sub(r"\s", "", text)
    return size.lower() if re.fullmatch(_WORD, size, re.IGNORECASE) and len(size) > 2 else size


def _as_tuple(crossed: re.Match[str]) -> str:
    sizes = re.split(r" ?[x\u00d7] ?", crossed[0])
    return f"({', '.join(sizes)})"


def _called_alike(before: str, parameters: Sequence[str]) -> list[str]:
    """The parameters that a last word stands for: `logits` for two of them, or `ref_*_logps`."""
    words = re.findall(r"[\w*]+", before.lower())
    if not words:
        return []
    last = words[-1]
    if "*" in last.strip("*"):
        return fnmatch.filter(parameters, last)
    single = last.removesuffix("s")
    return [name for name in parameters if len(single) > 3 and re.search(rf"_{single}s?$", name.lower())]


def _clauses(text: str, parameters: Sequence[str]) -> dict[str, str]:
    parts = [each.lower() for each in re.split(r"[;\n]|\.\s|, (?=\w+:? \()|\), ", text)]
    return {
        name: " ".join(part for part in parts if re.search(rf"\b{re.escape(name.lower())}\b", part))
        for name in parameters
    }
