"""Subject: the loss under test, what it takes, and how to call it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from losskit.checker import draws, examples
from losskit.checker.calling import INSIDE
from losskit.checker.concluding import conclude
from losskit.checker.origin import Criterion, Origin, call_parameters, origin_of, tensor_parameters
from losskit.checker.repro import literal, script
from losskit.checker.spec import Spec
from losskit.checker.words import Words, within_open_interval, words_of

_INSIDE = 6.0  # the largest logit of a probability that is neither 0 nor 1


class LossRaised(RuntimeError):  # noqa: N818 - the name states the condition
    """The loss itself raised in a call by a check."""

    def __init__(self, original: BaseException) -> None:
        super().__init__(f"{type(original).__name__}: {str(original).strip()[:600]}")
        self.original = original


class Subject:
    """A loss under test: where it comes from, and what it takes."""

    def __init__(self, origin: Origin, spec: Spec) -> None:
        self.origin = origin
        self.spec = spec
        self.batch: tuple[Any, ...] | None = None  # the user's batch, if checks are about it
        self.fixed: dict[str, Any] = {}  # the further arguments of that batch
        self.batch_file = "batch.pt"
        self.on_call: Callable[[tuple[Any, ...], Mapping[str, Any]], None] | None = None  # called before each call

    @classmethod
    def of(cls, loss: Any, options: Mapping[str, Any] | None = None, **said: Any) -> Subject:
        """The subject of a loss given as text or as an object; `said` overrides the conclusions of trial calls."""
        origin = origin_of(loss, options)
        return cls(origin, conclude(origin, **said))

    def taking(self, **said: Any) -> Subject:
        """The same loss, called in another of its forms."""
        return type(self)(self.origin, conclude(self.origin, **said))

    @property
    def name(self) -> str:
        return self.origin.name

    @functools.cached_property
    def words(self) -> Words:
        """What the loss says about itself."""
        criterion = self.build()
        return words_of(criterion, self.name, [each.name for each in call_parameters(criterion)])

    @functools.cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the arguments of a call that are tensors of an example, in the order of the call."""
        extras = {each.name for each in self.spec.way.extras}
        fixed = extras | set(self.origin.called)
        found = [each.name for each in tensor_parameters(self.build()) if each.name not in fixed]
        names = tuple(self.spec.way.tensor_names(found))
        return (INSIDE, *names) if self.spec.way.inside else names

    def place(self, at: int) -> int:
        """The tensor of an example that is passed as this argument of a call."""
        return self.spec.way.place(at)

    def order(self, place: int) -> int:
        """The argument that this tensor of an example is passed as."""
        return self.spec.way.order(place)

    def build(self, **options: Any) -> Criterion:
        """A fresh instance of the loss, whose random parameters are those of the others.

        Raises CannotRebuild if it cannot be made with these options.
        """
        with torch.random.fork_rng(devices=[]):
            draws.seed()
            return self.origin.build(**options)

    def call(self, criterion: Criterion, *tensors: Any, **arguments: Any) -> Tensor:
        """The result of the loss; LossRaised if it raises. Tensors are in the order of `spec.tensors`."""
        arguments = {**self.fixed, **arguments}
        if self.on_call is not None and not torch.compiler.is_compiling():
            self.on_call(tensors, arguments)
        try:
            return self.spec.way.call(criterion, tensors, arguments)
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as error:
            if "can't allocate memory" in str(error) or "bad_alloc" in str(error):
                raise MemoryError(str(error)) from error
            raise LossRaised(error) from error

    def value(self, *tensors: Any, **arguments: Any) -> Tensor:
        """The loss of these tensors by a fresh instance, as one number."""
        made = self.call(self.build(), *tensors, **arguments)
        return made if made.dim() == 0 else made.mean()

    def gradient(self, *tensors: Tensor, of: int = 0, **arguments: Any) -> tuple[Tensor, Tensor]:
        """The loss, and its gradient with respect to the tensor at `of` (the input); zeros if there is none."""
        given = list(tensors)
        given[of] = given[of].detach().clone().requires_grad_()
        loss = self.value(*given, **arguments)
        if not loss.requires_grad:
            return loss, torch.zeros_like(given[of])
        (found,) = torch.autograd.grad(loss, given[of], allow_unused=True)
        return loss.detach(), torch.zeros_like(given[of]) if found is None else found

    # Examples.

    @functools.cached_property
    def _open(self) -> bool:
        """Whether its probabilities are documented to be neither 0 nor 1."""
        return self.spec.scores == "probabilities" and within_open_interval(self.build(), self.words)

    @property
    def samples(self) -> int:
        """The default number of samples in an example: enough for statistics over the batch."""
        large = math.prod(self.spec.spatial) > 2**14
        return 2 if large or (self.spec.spatial and self.spec.labels) else 6

    def draw(
        self,
        seed: int = 0,
        batch: int = 0,
        size: tuple[int, ...] | None = None,
        correct: bool | None = None,
        scale: float = 1.0,
        classes: int | None = None,
    ) -> draws.Draw:
        scale = min(scale, _INSIDE) if self._open else scale
        spatial = self.spec.spatial if size is None else tuple(size)
        generator = torch.Generator().manual_seed(seed)
        samples = self.origin.samples or batch or self.samples
        return draws.Draw(
            samples, classes or self.spec.classes, spatial, generator, correct, scale, self.spec.ignore_index
        )

    def example(
        self,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        batch: int = 0,
        size: tuple[int, ...] | None = None,
        correct: bool | None = None,
        scale: float = 1.0,
        classes: int | None = None,
    ) -> tuple[Tensor, ...]:
        """The tensors of a well-posed call: correct, wrong or random scores, `scale` away from 0.

        Floating-point tensors have this dtype; a target of integers keeps its dtype.
        """
        draw = self.draw(seed, batch, size, correct, scale, classes)
        made = examples.make(self.spec.kind, self.spec.scores, self.spec.layout, draw)
        return tuple(t.to(dtype).contiguous() if t.is_floating_point() else t.contiguous() for t in made)

    def labels(self, seed: int = 0, batch: int = 0, size: tuple[int, ...] | None = None) -> Tensor:
        """Random labels: classes (N, *) if there is one class per position, otherwise 0 or 1, (N, C, *)."""
        return draws.labels_of(self.spec.kind, self.draw(seed, batch, size))

    def target_of(self, labels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Labels as this loss takes them."""
        made = draws.laid_out(self.spec.kind, self.spec.layout, labels, self.spec.classes)
        return made.to(dtype) if made.is_floating_point() else made

    def input_of(
        self,
        labels: Tensor,
        scale: float = 1.0,
        correct: bool | None = True,
        dtype: torch.dtype = torch.float32,
        seed: int = 0,
    ) -> Tensor:
        """Scores that are correct, wrong or random for these labels, as the loss takes them."""
        spatial = labels.shape[1:] if self.spec.kind == "multiclass" else labels.shape[2:]
        draw = replace(self.draw(seed, labels.shape[0], tuple(spatial), correct, scale))
        made = draws.scores_of(self.spec.kind, labels, draw, self.spec.scores).to(dtype)
        return made.squeeze(1) if self.spec.layout == "bare" else made

    # Repros.

    def code(
        self,
        *tensors: Tensor | str,
        lines: tuple[str, ...] = (),
        options: Mapping[str, Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        imports: str = "",
    ) -> str:
        """A self-contained repro: imports, the loss, its tensors (or code that makes them), and the lines to run.

        Without `lines` it prints the loss.
        """
        names = list(self.spec.tensors)
        made = {n: t if isinstance(t, str) else literal(t) for n, t in zip(names, tensors, strict=False)}
        further = {
            n: v if isinstance(v, str) else literal(v)
            for n, v in {**self.fixed, **(arguments or {})}.items()
            if isinstance(v, (str, Tensor))
        }
        construction = self.origin.construction(**(options or {}))
        functools_ = "import functools\n" if "functools.partial" in construction else ""
        named = "losskit.checker.models." in self.spec.way.call_code(self.spec.tensors, {})
        model = "import losskit.checker.models\n" if named else ""
        brought = f"{functools_}import torch\n{model}{imports and imports + chr(10)}{self.origin.imports}"
        return script(
            brought, construction, {**made, **further}, lines or (f"print({self.call_code(**(arguments or {}))})",)
        )

    @property
    def taken_from(self) -> str:
        """Code that takes the loss from the result of the criterion."""
        return self.spec.part.removeprefix("result") if self.spec.part.startswith("result") else ""

    def call_code(self, **arguments: Any) -> str:
        """The call, as code: criterion(input, target)."""
        return self.spec.way.call_code(self.spec.tensors, {**self.fixed, **arguments}) + self.taken_from
