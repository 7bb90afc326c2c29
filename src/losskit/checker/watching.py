"""Watching: which tensor of a trial call each tensor comes from, up to the function that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

_ELEMENTWISE = (
    "add",
    "sub",
    "mul",
    "div",
    "true_divide",
    "rsub",
    "__sub__",
    "__rsub__",
    "l1_loss",
    "mse_loss",
    "where",
    "maximum",
    "minimum",
)


class Mismatch(ValueError):  # noqa: N818 - the name states the condition
    """Shapes that fit only by broadcasting samples."""


@dataclass(eq=False)
class Watched(TorchFunctionMode):
    """Follows which slot each tensor comes from, up to the function that fails."""

    given: Mapping[int, Tensor]  # by slot
    done: int = 0
    failed: str = ""
    operands: Sequence[Any] = ()
    undefined: Sequence[Any] = ()  # what the first function whose result is not finite was given
    kept: list[Tensor] = field(default_factory=list)
    strict: bool = True  # refuses to repeat a tensor of fewer dimensions

    def __post_init__(self) -> None:
        super().__init__()
        self.origins = {id(tensor): frozenset([at]) for at, tensor in self.given.items()}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            if self.strict:
                _refuse_new_dimensions(func, args)
                self._refuse_rows_as_columns(func, args)
            _refuse_repeated_letters(func, args)
            made = func(*args, **(kwargs or {}))
        except Exception:
            self.failed, self.operands = getattr(func, "__name__", ""), (*args, *(kwargs or {}).values())
            raise
        self.done += 1
        if not self.failed and _made_undefined(made, args):
            self.undefined = self.undefined or tuple(args)
        origin = frozenset().union(*(self.origin(each) for each in tensors_in((*args, *(kwargs or {}).values()))))
        for each in tensors_in([made]):
            self.origins.setdefault(id(each), origin)
            self.kept.append(each)  # so that its id stays its own
        return made

    def _refuse_rows_as_columns(self, func: Callable[..., Any], given: Sequence[Any]) -> None:
        """Raise where numbers of samples, (N,), broadcast against the last dimension of (N, *)."""
        if getattr(func, "__name__", "") not in _ELEMENTWISE or not all(isinstance(each, Tensor) for each in given[:2]):
            return
        few, many = sorted(given[:2], key=Tensor.dim)
        samples = next(iter(self.given.values())).shape[:1]
        if (
            0 < few.dim() < many.dim()
            and few.shape[:1] == samples == many.shape[:1]
            and all(map(self.origin, given[:2]))
        ):
            raise Mismatch("shapes do not match")

    def origin(self, tensor: Any) -> frozenset[int]:
        return self.origins.get(id(tensor), frozenset())

    def written(self, sizes: tuple[str, ...]) -> tuple[str, ...]:
        """Sizes with the letter of the number of samples."""
        samples = str(len(next(iter(self.given.values()))))
        return tuple("N" if each == samples else each for each in sizes)

    def only(self, tensor: Any) -> int | None:
        """The one tensor of the call that this one comes from."""
        found = self.origin(tensor)
        return next(iter(found)) if len(found) == 1 else None


def _refuse_new_dimensions(func: Callable[..., Any], given: Sequence[Any]) -> None:
    """Raise where `repeat` or `expand` adds dimensions, in front of that of the samples."""
    if getattr(func, "__name__", "") in ("repeat", "expand") and len(given) > 1 and isinstance(given[0], Tensor):
        sizes = given[1] if isinstance(given[1], (tuple, list)) else given[1:]
        if len(sizes) > given[0].dim() > 0:
            raise Mismatch(f"must be {len(sizes)}d")


def letters_of(equation: str) -> list[str]:
    """The letters of each operand of `einsum`."""
    return equation.split("->")[0].replace(" ", "").split(",")


def _refuse_repeated_letters(func: Callable[..., Any], given: Sequence[Any]) -> None:
    """Raise where `einsum` repeats a dimension of 1 along a letter."""
    if getattr(func, "__name__", "") != "einsum" or not isinstance(given[0], str) or "." in given[0]:
        return
    sizes: dict[str, int] = {}
    for letters, tensor in zip(letters_of(given[0]), tensors_in(given[1:]), strict=False):
        for letter, size in zip(letters, tensor.shape, strict=False):
            if sizes.setdefault(letter, size) != size:
                raise Mismatch("shapes do not match")


def _made_undefined(made: Any, given: Sequence[Any]) -> bool:
    """Whether a result is not finite, but what it was computed from is."""
    before = [each for each in tensors_in(given) if each.is_floating_point()]
    return (
        isinstance(made, Tensor)
        and made.is_floating_point()
        and bool(before)
        and not _finite(made)
        and all(map(_finite, before))
    )


def _finite(tensor: Tensor) -> bool:
    return bool(tensor.detach().isfinite().all())


def tensors_in(values: Sequence[Any]) -> Iterator[Tensor]:
    for each in values:
        if isinstance(each, Tensor):
            yield each
        elif isinstance(each, (tuple, list)):
            yield from tensors_in(each)
        elif isinstance(each, slice):
            yield from tensors_in((each.start, each.stop, each.step))
