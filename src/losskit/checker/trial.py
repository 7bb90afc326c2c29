"""Trial calls: what a loss returns for tensors of one form."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor

from losskit.checker import examples, several
from losskit.checker.calling import Way, loss_of
from losskit.checker.draws import Draw
from losskit.checker.origin import Origin

REFUSED = math.nan  # the value of a call that raised
LARGE = 500  # elements above which the size of a tensor, rather than a fault, may exhaust time and memory
_FEW = 5  # classes above which the number of orders or of pairs may exhaust time, however small the tensors
_SECONDS = 1.0  # of CPU, for a call with a large tensor
_SLOW = 0.1  # seconds of CPU: a call that takes longer counts towards the time of all such calls
_SLOW_IN_ALL = 12.0  # seconds of CPU in slow calls, after which large tensors are not tried
_ROOM = 1 << 30  # bytes that a call with a large tensor may take in addition
_PATIENCE = 3  # such calls that take too long, after which large tensors are not tried


class DoesNotFit(Exception):  # noqa: N818 - the name states the condition
    """A form is not what the loss takes; the message says why."""


class TooLong(Exception):  # noqa: N818 - the name states the condition
    """A trial call with large tensors took too long."""


@dataclass(frozen=True)
class Form:
    """One way of calling a loss."""

    kind: str
    scores: str
    layout: str

    @property
    def labels(self) -> bool:
        return self.key not in examples.OTHERS and not self.layout.startswith(several.SEVERAL)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.scores, self.layout


class Trial:
    """Calls a loss with examples, in float64 if possible, and keeps the error if it refuses."""

    def __init__(self, origin: Origin, way: Way, classes: int, spatial: tuple[int, ...], sign: int = 1) -> None:
        self.origin = origin
        self.way = way
        self.classes = classes
        self.spatial = spatial
        self.sign = sign  # -1 negates the loss, in case a minus is missing
        self.said = ""  # error of the last refused call
        self.dtype = torch.float64
        self.scalar = True
        self.part = ""
        self.ignored: int | None = None  # a label that the loss ignores

    def negated(self) -> Trial:
        """The same trial with the loss negated."""
        made = Trial(self.origin, self.way, self.classes, self.spatial, -self.sign)
        made.dtype, made.scalar, made.part, made.ignored = self.dtype, self.scalar, self.part, self.ignored
        return made

    def draw(self, form: Form, correct: bool | None, scale: float, seed: int) -> Draw:
        classes = 1 if form.kind == "binary" else self.classes
        if form.layout in ("bare", "signs") or (form.kind == "regression" and form.layout == "bare"):
            classes = 1
        samples = self.origin.samples or (2 if self.spatial and form.labels else 8)
        return Draw(samples, classes, self.spatial, torch.Generator().manual_seed(seed), correct, scale, self.ignored)

    def value(self, *tensors: Tensor) -> float:
        """The loss as a number; NaN if it refuses."""
        result = self.result(*tensors)
        return REFUSED if result is None else self.sign * float(result.detach().double().mean())

    def result(self, *tensors: Tensor) -> Tensor | None:
        cast = [t.to(self.dtype) if t.is_floating_point() else t for t in tensors]
        cast = [t.clone() for t in cast]  # not a leaf where it requires a gradient: losses that work in place run
        found, large = "", any(t.numel() > LARGE for t in cast) or self.classes > _FEW
        if large and (self.origin.exhausted >= _PATIENCE or self.origin.slow > _SLOW_IN_ALL):
            return None
        if self.origin.on_trial is not None:
            self.origin.on_trial(self.way.ordered(cast))

        def criterion(*given: Tensor, **named: Tensor) -> Tensor:
            nonlocal found
            made, found = loss_of(self.origin.build()(*given, **named))
            return made

        began = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.filterwarnings("error", message="Using a target size")  # it broadcasts, which is not intended
                with within(_SECONDS if large else None):
                    made = self.way.call(criterion, cast, {})
        except KeyboardInterrupt:
            raise
        except MemoryError as error:
            if not large:
                raise
            self._exhausted(str(error) or "out of memory")  # pairs of positions, or their permutations
            return None
        except TooLong as error:
            self._exhausted(str(error))
            return None
        except Exception as error:  # noqa: BLE001 - whatever it raises, it refuses this call
            if self.dtype == torch.float64 and about_dtype(error):
                self.dtype = torch.float32
                return self.result(*tensors)
            self.said = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
            return None
        finally:
            taken = time.process_time() - began
            self.origin.slow += taken if taken > _SLOW else 0.0
        self.scalar, self.part = made.dim() == 0, found
        return made

    def _exhausted(self, said: str) -> None:
        self.said = said
        self.origin.exhausted += 1

    def slope(self, input: Tensor, *others: Tensor) -> Tensor:
        """The gradient with respect to the input; zeros if there is none."""
        if not input.is_floating_point():
            return torch.zeros_like(input)
        x = input.detach().clone().requires_grad_()
        result = self.result(x, *others)
        if result is None or not result.requires_grad:
            return torch.zeros_like(input)
        try:
            (found,) = torch.autograd.grad(self.sign * result.double().sum(), x, allow_unused=True)
        except RuntimeError:
            return torch.full_like(input, torch.nan)
        return torch.zeros_like(input) if found is None else found

    def cut(self, *tensors: Tensor) -> bool:
        """Whether the result is in the graph of none of these tensors."""
        leaves = [t.detach().clone().requires_grad_() for t in tensors if t.is_floating_point()]
        given = iter(leaves)
        result = self.result(*(next(given) if t.is_floating_point() else t for t in tensors))
        if result is None or not result.requires_grad:
            return result is not None
        slopes = torch.autograd.grad(result.double().sum(), leaves, allow_unused=True)
        return all(each is None for each in slopes)

    def runs(self, form: Form) -> bool:
        """Whether the loss returns a number for random scores."""
        return math.isfinite(self.value(*examples.make(*form.key, self.draw(form, None, 0.5, 0))))


@contextlib.contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Raise TooLong in a block that takes more CPU time than this, where the system has such a timer."""
    if seconds is None or not hasattr(signal, "SIGPROF") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: int | FrameType | None) -> None:
        raise TooLong(f"it takes more than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        with _within_memory():
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def _within_memory() -> Iterator[None]:
    """Raise MemoryError in a block that takes much memory, where the system can tell how much is in use."""
    try:
        import resource

        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except (ImportError, OSError):
        yield
        return
    used = next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:")), 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [each for each in (soft, hard) if each != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([used + _ROOM, *bounds]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def about_dtype(error: Exception) -> bool:
    said = str(error).lower()
    return "dtype" in said or "double" in said or "scalar type" in said


def require(condition: bool, reason: str) -> None:
    if not condition:
        raise DoesNotFit(reason)
