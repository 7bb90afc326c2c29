"""Options: the typed class attributes of a loss, which become its keyword-only constructor.

`smooth: NonNegative = option(default=0.0, doc="added to both sides")` in a class body declares the constructor's
argument, its domain, its default and its line in the documentation; a plain `smooth: float = 0.0` also works.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import torch
from torch import nn
from typing_extensions import Self, dataclass_transform

from losskit.core.domains import Checker, Domain, domain_of, nearest, quoted
from losskit.core.elsewhere import FOREIGN_NAMES
from losskit.ops.plan import Plans
from losskit.ops.planning import REPLACED


class _Declared:
    """The placeholder that `option(...)` leaves in the class body until the class is complete."""

    def __init__(self, default: object, doc: str) -> None:
        self.default = default
        self.doc = doc


class _Required:
    """The default of a required option."""

    def __repr__(self) -> str:
        return "required"


REQUIRED: Any = _Required()


def option(*, default: Any = REQUIRED, doc: str) -> Any:
    """Declare an option with its default and the line that documents it; without a default it is required."""
    return _Declared(default, doc)


class Option:
    """One option of a loss: its name, default, domain and documentation."""

    def __init__(self, name: str, default: object, domain: Domain, doc: str) -> None:
        self.name = name
        self.default = default
        self.domain = domain
        self.doc = doc
        self.check: Checker = domain.check

    def __repr__(self) -> str:
        return f"Option({self.name}: {self.domain.text} = {self.default!r})"


@dataclass_transform(kw_only_default=True, field_specifiers=(option,))
class Configured(nn.Module):
    """An `nn.Module` whose constructor, checks, signature and repr derive from the options it declares."""

    options: ClassVar[dict[str, Option]] = {}
    without: ClassVar[tuple[str, ...]] = ()  # options of its bases that a class does not have

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        inherited = _inherited(cls)
        own = _declared(cls, inherited)
        inherited = {name: o for name, o in inherited.items() if name not in (*own, *cls.without)}
        cls.options = {**own, **inherited}
        if "__init__" not in cls.__dict__ and cls.__init__ is Configured.__init__:
            cls.__signature__ = signature_of(cls.options)  # type: ignore[attr-defined]
        elif "__init__" in cls.__dict__:
            parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
            cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]

    generation: ClassVar[int] = 0  # how often an option was set
    plans: ClassVar[Plans]

    def __init__(self, *positional: Any, **options: Any) -> None:
        super().__init__()
        if positional:
            _refuse_positional(type(self), positional[0])
        self.__dict__["plans"] = Plans()
        if not options.keys() <= self.options.keys():
            _refuse_unknown(type(self), options)
        for name, declared in self.options.items():
            value = options[name] if name in options else declared.default
            if value is not REQUIRED:
                self.set_option(name, declared.check(type(self).__name__, name, value))
        for name, declared in self.options.items():
            if declared.default is REQUIRED and options.get(name, REQUIRED) is REQUIRED:
                raise TypeError(
                    f"{type(self).__name__}: {name} has no default. Pass {name}=..., {declared.domain.text}: "
                    f"{declared.doc}."
                )
        self.__post_init__()

    def __post_init__(self) -> None:
        """Called after all options are set; override it to check several options together."""

    def set_option(self, name: str, value: Any) -> None:
        """Set an option: tensors as buffers that move with the module, parameters as parameters."""
        if isinstance(value, nn.Parameter):
            self.register_parameter(name, value)
        elif isinstance(value, torch.Tensor):
            self.register_buffer(name, value)
        else:
            setattr(self, name, value)

    def with_tensors(self, tensors: dict[str, Any]) -> Self:
        """A copy with these tensor options, which shares the plans of the original."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _buffers={}, _parameters={})
        for name, value in tensors.items():
            twin.set_option(name, self.options[name].check(type(self).__name__, name, value))
        twin.__dict__["generation"] = self.generation  # plans do not depend on the values of tensors
        twin.__post_init__()
        return twin

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self._count_change(name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._count_change(name)

    def register_buffer(self, name: str, tensor: torch.Tensor | None, persistent: bool = True) -> None:
        super().register_buffer(name, tensor, persistent)
        self._count_change(name)

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        super().register_parameter(name, param)
        self._count_change(name)

    def _count_change(self, name: str) -> None:
        if name in self.options or name in REPLACED:
            self.__dict__["generation"] = self.generation + 1

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.__dict__["plans"] = Plans()  # a shallow copy would share those of the original

    def given_options(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        return {
            name: value
            for name, declared in self.options.items()
            if (value := getattr(self, name)) is not declared.default and not _equal(value, declared.default)
        }

    def option_values(self) -> tuple[Any, ...]:
        """The options that are not tensors, in order."""
        each = (getattr(self, name) for name in self.options)
        return tuple(value for value in each if not isinstance(value, torch.Tensor))

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={_shown(value)}" for name, value in self.given_options().items())


def signature_of(options: dict[str, Option], before: list[inspect.Parameter] | None = None) -> inspect.Signature:
    """The signature with the options as keyword-only parameters, after those in `before`."""
    keyword_only = [
        inspect.Parameter(
            o.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if o.default is REQUIRED else o.default,
            annotation=o.domain.annotation,
        )
        for o in options.values()
        if o.name not in {p.name for p in before or []}
    ]
    return inspect.Signature([*(before or []), *keyword_only])


def _inherited(cls: type[Configured]) -> dict[str, Option]:
    found: dict[str, Option] = {}
    for base in cls.__mro__[1:]:  # nearest base first, so that a signature begins with the loss's own options
        for name, declared in base.__dict__.get("options", {}).items():
            found.setdefault(name, declared)
    for name, declared in found.items():
        if name in cls.__dict__ and name not in inspect.get_annotations(cls):  # only a new default
            found[name] = Option(name, cls.__dict__[name], declared.domain, declared.doc)
            delattr(cls, name)
    return found


def _declared(cls: type[Configured], inherited: dict[str, Option]) -> dict[str, Option]:
    own = [n for n in inspect.get_annotations(cls) if not n.startswith("_") and n in cls.__dict__]
    hints = _hints(cls) if own else {}
    found = {}
    for name in own:
        annotation = hints.get(name, Any)
        if getattr(annotation, "__origin__", annotation) is ClassVar:
            continue
        raw = cls.__dict__[name]
        declared = (
            raw if isinstance(raw, _Declared) else _Declared(raw, inherited[name].doc if name in inherited else "")
        )
        found[name] = Option(name, declared.default, domain_of(annotation), declared.doc)
        delattr(cls, name)  # a default left on the class would hide the buffer of that name
    return found


def _hints(cls: type) -> dict[str, Any]:
    try:
        return inspect.get_annotations(cls, eval_str=True)
    except (NameError, TypeError):  # names local to a function: the options stay unchecked
        return {n: a for n, a in inspect.get_annotations(cls).items() if not isinstance(a, str)}


def _refuse_positional(cls: type[Configured], value: Any) -> NoReturn:
    """Raise an error that suggests the first option that accepts the value."""
    numbers = isinstance(value, (torch.Tensor, list, tuple))  # per class, the first argument in other libraries
    first = [o for o in cls.options.values() if numbers and o.name == "class_weight"]
    for declared in (*first, *cls.options.values()):
        try:
            declared.check(cls.__name__, declared.name, value)
        except (TypeError, ValueError):
            continue
        shown = "..." if numbers else repr(value)
        raise TypeError(f"{cls.__name__} takes its options by name: {cls.__name__}({declared.name}={shown}).")
    raise TypeError(f"{cls.__name__} takes its options by name; {quoted(value)} is none of {', '.join(cls.options)}.")


def _refuse_unknown(cls: type[Configured], options: dict[str, Any]) -> NoReturn:
    name = next(n for n in options if n not in cls.options)
    advice = FOREIGN_NAMES.get(name)
    if advice is not None:
        raise TypeError(f"{cls.__name__} has no option {quoted(name)}: {advice}")
    known = ", ".join(cls.options)
    raise TypeError(
        f"{cls.__name__} has no option {quoted(name)}{nearest(name, cls.options)} Its options are: {known}."
    )


def _equal(a: object, b: object) -> bool:
    return type(a) is type(b) and not isinstance(a, torch.Tensor) and bool(a == b)


def _shown(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return str(value.detach().tolist())
    if isinstance(value, Callable) and hasattr(value, "__name__"):  # type: ignore[arg-type]
        return str(value.__name__)
    return repr(value)
