"""Origins: where a loss under test comes from, and how to make a fresh one, also with other options."""

from __future__ import annotations

import copy
import functools
import inspect
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from losskit.building import references
from losskit.building.build import build, reference_of
from losskit.building.references import Reference
from losskit.checker.naming import Unnamed, stored, written
from losskit.checker.option_values import code_of
from losskit.core.loss import Loss
from losskit.core.operands import Wrapped

Criterion = Callable[..., Any]


class CannotRebuild(ValueError):  # noqa: N818 - the name states the condition
    """This loss cannot be made again with other options."""


class Origin:
    """A loss that can be made again."""

    name: str  # in messages
    imports: str  # code that imports it
    options: Mapping[str, Any]  # of its constructor, or bindable by name, with the defaults
    called: Mapping[str, Any] = MappingProxyType({})  # arguments of every call
    on_trial: Callable[[Sequence[Any]], None] | None = None  # called before each of the first trial calls
    samples = 0  # the one number of samples that it takes; 0 for any
    exhausted = 0  # trial calls with large tensors that took too much time or memory
    slow = 0.0  # seconds of CPU in trial calls that took long

    def build(self, **options: Any) -> Criterion:
        """A fresh loss, with these options changed."""
        raise NotImplementedError

    def construction(self, **options: Any) -> str:
        """Code that makes it."""
        raise NotImplementedError


class Referred(Origin):
    """A loss given by its path, such as my_losses.py:my_dice, with options by name."""

    def __init__(self, text: str, options: Mapping[str, Any] | None = None) -> None:
        reference = reference_of(text)
        if reference is None:
            raise ValueError(f"{text!r} is not the path of a loss. Write file.py:name or package.module:Name.")
        self.reference: Reference = reference
        given = dict(options or {})
        self.found = references.load(reference)
        module = getattr(self.found, "Module", None)
        if isinstance(module, type) and issubclass(module, Loss):
            self.found = module
        self.options = options_of(self.found)
        self.called = {name: value for name, value in given.items() if self._is_of_call(name)}
        self.given = {name: value for name, value in given.items() if name not in self.called}
        said = ", ".join(f"{name}={code_of(value)}" for name, value in given.items())
        self.name = reference.name.split(".")[-1] + (f"({said})" if said else "")
        self.imports = _import(reference)

    def _is_of_call(self, name: str) -> bool:
        """Whether an option is an argument of a class's call, and not of its constructor."""
        if not isinstance(self.found, type) or name in self.options:
            return False
        usual = issubclass(self.found, nn.Module) and self.found.__call__ is nn.Module.__call__
        call = getattr(self.found, "forward" if usual else "__call__")
        return name in {each.name for each in parameters_of(call)}

    def build(self, **options: Any) -> Criterion:
        made = references.criterion(self.reference, (), {**self.given, **options})
        # A module instance in a file is one object: a copy keeps checks from sharing its state.
        return _copied(made) if made is self.found and isinstance(made, nn.Module) else made

    def construction(self, **options: Any) -> str:
        name = self.reference.name
        given = ", ".join(f"{key}={code_of(value)}" for key, value in {**self.given, **options}.items())
        if isinstance(self.found, nn.Module) or (
            callable(self.found) and not isinstance(self.found, type) and not given
        ):
            return f"criterion = {name}{'()' if self._is_factory() else ''}"
        if isinstance(self.found, type) or self._is_factory():
            return f"criterion = {name}({given})"
        return f"criterion = functools.partial({name}, {given})"

    def _is_factory(self) -> bool:
        return inspect.isfunction(self.found) and self.build() is not self.found and not self.given


class Object(Origin):
    """An existing loss: a copy of it, with options changed where possible."""

    def __init__(self, criterion: Criterion) -> None:
        module = getattr(criterion, "Module", None)
        if isinstance(module, type) and issubclass(module, Loss):
            criterion = module()
        self.criterion = criterion.function if isinstance(criterion, Wrapped) else criterion
        if isinstance(self.criterion, type) or not callable(self.criterion):
            raise TypeError(
                f"check takes a loss, a module or a function; got {criterion!r:.80}. Construct a class first."
            )
        kind = type(self.criterion)
        self.is_module = isinstance(self.criterion, nn.Module)
        known = options_of(kind if self.is_module else self.criterion)
        self.options = {name: stored(self.criterion, name, value) for name, value in known.items()}
        named = self.criterion.func if isinstance(self.criterion, functools.partial) else self.criterion
        self.name = kind.__name__ if self.is_module else getattr(named, "__name__", kind.__name__)
        self.imports, self.expression = self._written()

    def _written(self) -> tuple[str, str]:
        """Imports and an expression that make this loss; a comment if it has no importable name."""
        imports: dict[str, None] = {}
        try:
            expression = written(self.criterion, imports, options_of)
        except Unnamed:
            return f"# criterion is your {self.name}", ""
        return "\n".join(each for each in imports if each != "import functools"), expression

    def build(self, **options: Any) -> Criterion:
        if not options:
            return _copied(self.criterion) if self.is_module else self.criterion
        if not self.is_module:
            return functools.partial(self.criterion, **options)
        if isinstance(self.criterion, Loss) and self._declares(options):
            own = {name: getattr(self.criterion, name) for name in self.criterion.options}
            return copy.deepcopy(type(self.criterion)(**{**own, **options}))
        missing = [name for name, value in self.options.items() if value is inspect.Parameter.empty]
        if missing:
            raise CannotRebuild(f"{self.name} does not store its {missing[0]}, so it cannot be constructed again.")
        kind: Any = type(self.criterion)
        if _settings(kind(**self.options)) != _settings(self.criterion):
            raise CannotRebuild(f"{self.name} does not store all of its options, so it cannot be constructed again.")
        return kind(**{**self.options, **options})  # type: ignore[no-any-return]

    def _declares(self, options: Mapping[str, Any]) -> bool:
        return isinstance(self.criterion, Loss) and set(options) <= set(self.criterion.options)

    def construction(self, **options: Any) -> str:
        if not self.expression:
            given = ", ".join(f"{key}={code_of(value)}" for key, value in options.items())
            return f"criterion = functools.partial(criterion, {given})" if given and not self.is_module else ""
        if not options:
            return f"criterion = {self.expression}"
        if not self.is_module:
            given = ", ".join(f"{key}={code_of(value)}" for key, value in options.items())
            return f"criterion = functools.partial({self.expression}, {given})"
        return f"criterion = {written(self.criterion, {}, options_of, options)}"


def _copied(module: Any) -> Any:
    """A copy; it shares the tensors that deepcopy refuses, results of operations that require a gradient."""
    held = [each for part in module.modules() for each in vars(part).values()]
    shared = {id(each): each for each in held if isinstance(each, Tensor) and not each.is_leaf}
    return copy.deepcopy(module, shared)


def _settings(criterion: Any) -> list[dict[str, Any]]:
    """The numbers and words that a module and its parts store."""
    return [
        {name: value for name, value in vars(part).items() if isinstance(value, (bool, int, float, str))}
        for part in criterion.modules()
    ]


def with_hint(said: str) -> str:
    """The text of an error, and how to pass a missing constructor argument."""
    missed = re.search(r"missing \d+ required .*?arguments?: '(\w+)'", said)
    return f"{said} Pass it with --with {missed[1]}=value." if missed else said


def origin_of(loss: Any, options: Mapping[str, Any] | None = None) -> Origin:
    """The origin of a loss given as text or as an object."""
    if not isinstance(loss, str):
        if options:
            raise TypeError("options are for a loss given by its path; this one is already constructed.")
        return Object(loss)
    if reference_of(loss) is not None:
        return Referred(loss, options)
    if options:
        raise ValueError(f"{loss!r} is not a path: write its options inside the text, as in focal(gamma=2).")
    return Object(build(loss, references=True))


def options_of(owner: Any) -> dict[str, Any]:
    """The options of a class or function by name, with their defaults."""
    parameters = parameters_of(owner)
    if not isinstance(owner, type):
        parameters = [p for p in parameters if p.default is not p.empty]
    return {p.name: p.default for p in parameters}


def parameters_of(owner: Any) -> list[inspect.Parameter]:
    """The named parameters of a call, or of a constructor."""
    try:
        found = inspect.signature(owner).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name != "self"]


def call_parameters(criterion: Criterion) -> list[inspect.Parameter]:
    """The named parameters of a call of the loss."""
    return parameters_of(called_of(criterion))


def called_of(criterion: Criterion) -> Criterion:
    """The function that a call runs: `forward`, unless a module defines its call itself."""
    usual = isinstance(criterion, nn.Module) and type(criterion).__call__ is nn.Module.__call__
    return getattr(criterion, "forward", criterion) if usual else criterion


def signature_of(criterion: Criterion) -> inspect.Signature | None:
    """The signature of a call of the loss; None if it has none."""
    try:
        return inspect.signature(called_of(criterion))
    except (TypeError, ValueError):
        return None


_NOT_TENSORS = (
    r"_*(args?|rest|others?|unused|ignored?|extras?|params?|_)"  # names of further arguments that are no tensors
)


def tensor_parameters(criterion: Criterion) -> list[inspect.Parameter]:
    """The same with `*losses` or `*images`: any number of tensors, whose name says that they are some."""
    named = call_parameters(criterion)
    signature = signature_of(criterion)
    if signature is None:
        return named
    rest = [
        p
        for p in signature.parameters.values()
        if p.kind is p.VAR_POSITIONAL and not re.fullmatch(_NOT_TENSORS, p.name.lower())
    ]
    before = [p for p in named if p.kind is not p.KEYWORD_ONLY]
    return [*before, *rest, *(p for p in named if p.kind is p.KEYWORD_ONLY)]


def _import(reference: Reference) -> str:
    top = reference.name.split(".")[0]
    if not reference.place.endswith(".py"):
        return f"from {reference.place} import {top}"
    path = Path(reference.place)
    if path.parent == Path() and path.stem.isidentifier() and not keyword.iskeyword(path.stem):
        return f"from {path.stem} import {top}"
    return f"import runpy\n{top} = runpy.run_path({reference.place!r})[{top!r}]"
