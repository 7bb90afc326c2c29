"""References: a loss by its location, `my_losses.py:my_dice` in a file or `torch.nn:BCEWithLogitsLoss` in a module."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from torch import nn

from losskit.core.domains import nearest, quoted
from losskit.core.loss import Loss
from losskit.core.operands import as_loss


class Reference(NamedTuple):
    """Where a loss is, and its name there."""

    place: str  # a file ending in .py, or a module
    name: str

    def __str__(self) -> str:
        return f"{self.place}:{self.name}"


_loaded: dict[Path, tuple[int, ModuleType]] = {}  # with the modification time, so that an edited file is loaded again


def load(reference: Reference) -> Any:
    """The object that a reference names."""
    module = _file(reference.place) if reference.place.endswith(".py") else _module(reference.place)
    found: Any = module
    for name in reference.name.split("."):
        if not hasattr(found, name):
            known = [n for n, value in vars(found).items() if callable(value) and not n.startswith("_")]
            raise ValueError(
                f"{reference.place} has no {name}{nearest(name, known)}{_listing(known) if found is module else ''}"
            )
        found = getattr(found, name)
    return found


def losses_in(place: str) -> list[str]:
    """The names of classes and functions written in a file that may be losses."""
    module = _file(place)
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def make(reference: Reference, arguments: Sequence[Any] = (), options: Mapping[str, Any] | None = None) -> Loss:
    """The loss that a reference and its options describe."""
    return as_loss(criterion(reference, arguments, options))


def criterion(
    reference: Reference, arguments: Sequence[Any] = (), options: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """The object that a reference and its options describe, without a wrapper.

    A kit function stands for its module class; a class is constructed; a function with missing arguments, its tensors,
    is the loss itself, with the options bound; a function without missing arguments is called to make the loss.
    """
    found, options = load(reference), dict(options or {})
    module = getattr(found, "Module", None)
    if isinstance(module, type) and issubclass(module, Loss):
        found = module
    if isinstance(found, type):
        own = reference.place.endswith(".py") and "__call__" in dir(found)  # a user's file, whose code has run already
        if not (own or issubclass(found, nn.Module)):
            raise TypeError(f"{quoted(str(reference))} is not a loss or module class, so it is not called. {_KINDS}")
        return _made(reference, _call(found, arguments, options))
    loss: Callable[..., Any] = found
    if isinstance(found, nn.Module) or not callable(found):
        if callable(found) and not arguments and not options:
            return loss
        raise TypeError(
            f"{reference} is a module instance already ({type(found).__name__}), so it takes no options."
            if callable(found)
            else f"{reference} is no loss but {quoted(found)}. {_KINDS}"
        )
    if not _is_function(found):
        raise TypeError(f"{quoted(str(reference))} is not a function of tensors, so it is not called. {_KINDS}")
    if _misses_tensors(found, arguments, options):
        return _bound(reference, loss, arguments, options) if arguments or options else loss
    if not reference.place.endswith(".py"):  # a user's file, whose code has run already, may have one that makes a loss
        raise TypeError(f"{quoted(str(reference))} takes no tensors with these options, so it is not called. {_KINDS}")
    return _made(reference, _call(loss, arguments, options))


_KINDS = "A reference names a loss or module class, or a function of tensors."


def _is_function(found: Any) -> bool:
    """Whether it may be a function of tensors: one written in Python, or PyTorch's own."""
    return not inspect.isbuiltin(found) or str(found.__module__).split(".")[0] in ("torch", "None")


def _made(reference: Reference, made: Any) -> Callable[..., Any]:
    if isinstance(made, type) or not callable(made):
        raise TypeError(
            f"{reference} returned {quoted(made)}, which is no loss. Return a module, or a function of (input, target)."
        )
    return made  # type: ignore[no-any-return]


def _call(function: Callable[..., Any], arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    try:
        return function(*arguments, **options)
    except TypeError as error:
        if "Tensor" in str(error):
            raise TypeError(f"{error}. A tensor is written tensor([1.0, 2.0]).") from error
        raise TypeError(f"{error}{_hint(function, options)}") from error


def _hint(function: Callable[..., Any], options: Mapping[str, Any]) -> str:
    """The nearest right name of the first option that the function does not have."""
    if isinstance(function, type) and issubclass(function, Loss):
        return ""  # its own error includes the hint
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ""
    return next((nearest(name, known) for name in options if name not in known), "")


def _misses_tensors(function: Callable[..., Any], arguments: Sequence[Any], options: Mapping[str, Any]) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin without a signature
        return True
    if any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()):
        return True
    required = [p for p in signature.parameters.values() if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    return any(p.name not in options for p in required[len(arguments) :])


def _bound(
    reference: Reference, function: Callable[..., Any], arguments: Sequence[Any], options: Mapping[str, Any]
) -> Callable[..., Any]:
    if arguments:
        raise TypeError(f"{reference} takes its tensors first, so its options are given by name.")
    try:
        inspect.signature(function).bind_partial(**options)
    except TypeError as error:
        raise TypeError(f"{reference} {error}{_hint(function, options)}") from error
    bound = functools.partial(function, **options)
    bound.__name__ = getattr(function, "__name__", reference.name)  # type: ignore[attr-defined]
    bound.__module__ = function.__module__
    return bound


def _file(place: str) -> ModuleType:
    path = Path(place).expanduser().resolve()
    if not path.is_file():
        near = nearest(path.name, [p.name for p in path.parent.glob("*.py")])
        folder = "" if Path(place).is_absolute() else f" in {Path.cwd()}"
        raise ValueError(f"There is no file {place}{folder}{near}")
    written = path.stat().st_mtime_ns
    if path in _loaded and _loaded[path][0] == written:
        return _loaded[path][1]
    # A unique name: a file named like a library must not replace it.
    name = f"{path.stem}_{hashlib.sha1(str(path).encode(), usedforsecurity=False).hexdigest()[:8]}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # for imports from the folder of the file
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        if (
            isinstance(error, ImportError)
            and "relative import" in str(error)
            and (path.parent / "__init__.py").is_file()
        ):
            return _in_package(path)
        raise ValueError(f"{place} does not load: {type(error).__name__}: {error}{_line(error, path)}") from error
    _loaded[path] = (written, module)
    return module


def _in_package(path: Path) -> ModuleType:
    """The module of a file that imports from its own package."""
    root = path.parent
    while (root.parent / "__init__.py").is_file():
        root = root.parent
    if str(root.parent) not in sys.path:
        sys.path.append(str(root.parent))
    parts = path.relative_to(root.parent).with_suffix("").parts
    return _module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))


def _line(error: Exception, path: Path) -> str:
    """The line of the file where the error was raised."""
    numbers = [error.lineno] if isinstance(error, SyntaxError) else []
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path:
            numbers.append(trace.tb_lineno)
        trace = trace.tb_next
    return f" (line {numbers[-1]})" if numbers else ""


def _module(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        top = Path(place.split(".")[0])
        if str(Path.cwd()) not in sys.path and (top.is_dir() or top.with_suffix(".py").is_file()):
            sys.path.append(str(Path.cwd()))  # a package in the working directory
            importlib.invalidate_caches()
            return _module(place)
        beside = f"{place.replace('.', '/')}.py"
        advice = f" For the file write {beside}:name." if Path(beside).is_file() else " Is it installed here?"
        raise ValueError(f"{place} cannot be imported: {error}.{advice}") from error
    except Exception as error:
        raise ValueError(f"{place} cannot be imported: {type(error).__name__}: {error}") from error


def _listing(known: list[str]) -> str:
    return f" It has {', '.join(known)}." if 0 < len(known) <= 12 else ""
