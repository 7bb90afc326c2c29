"""Scheduled: a weight of the algebra that is a function of the training step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

import torch
from torch import Tensor, nn
from typing_extensions import Self

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class _Ramp:
    """A ramp from `start` at step 0 to `end` at step `steps`, constant afterwards."""

    start: float
    end: float
    _: KW_ONLY
    steps: int

    def __post_init__(self) -> None:
        _check_steps(type(self).__name__, self.steps)

    def __call__(self, step: int) -> float:
        return self.start + (self.end - self.start) * self.rise(min(step / self.steps, 1.0))

    def rise(self, share: float) -> float:
        """The fraction of the way from start to end after this fraction of the steps."""
        raise NotImplementedError


@dataclass(frozen=True)
class linear(_Ramp):  # noqa: N801 - used like a function
    """Linear ramp from `start` to `end` over `steps` steps."""

    def rise(self, share: float) -> float:
        return share


@dataclass(frozen=True)
class cosine(_Ramp):  # noqa: N801
    """Half-cosine ramp from `start` to `end` over `steps` steps: slow, fast, slow."""

    def rise(self, share: float) -> float:
        return (1 - math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class warmup:  # noqa: N801
    """Linear warmup from 0 over `steps` steps, then a number or another schedule, which starts at its own step 0.

    `warmup(100, then=cosine(1, 0, steps=900))` rises for 100 steps and falls for 900.
    """

    steps: int
    then: float | Schedule = 1.0

    def __post_init__(self) -> None:
        _check_steps("warmup", self.steps)

    def __call__(self, step: int) -> float:
        after = self.then(max(step - self.steps, 0)) if callable(self.then) else self.then
        return after * min(step / self.steps, 1.0)


class Scheduled(nn.Module):
    """A scheduled weight: `DiceLoss() + Scheduled(linear(0, 1, steps=1000)) * FocalLoss()`.

    `schedule` is any function of the step that returns a number; `linear`, `cosine` and `warmup` are built in. Call
    `step()` after each optimizer step. `state_dict` saves the step, as a tensor. A new value does not trigger
    recompilation.

    Example:
        >>> weight = losskit.Scheduled(losskit.compose.linear(0, 1, steps=4))
        >>> loss = losskit.L1Loss() + weight * losskit.MSELoss()
        >>> weight.step()  # after each step of the optimizer
        >>> loss(torch.tensor([2.0]), torch.tensor([0.0]))
        tensor(3.)
    """

    value: Tensor

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        if not callable(schedule):
            raise TypeError(
                f"Scheduled: schedule must be a function of the step, such as linear(0, 1, steps=1000); got "
                f"{schedule!r}."
            )
        self.schedule = schedule
        self.register_buffer("value", torch.zeros(()), persistent=False)
        self._go_to(0)

    def step(self) -> None:
        """Advance by one step."""
        self._go_to(self._step + 1)

    def forward(self) -> Tensor:
        """The weight at this step."""
        return self.value.clone()  # a later step changes the buffer, not what was returned

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self._step, device="cpu")  # safetensors stores only tensors

    def set_extra_state(self, state: Tensor) -> None:
        self._go_to(int(state))

    def _go_to(self, step: int) -> None:
        value = self.schedule(step)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"Scheduled: schedule({step}) must return a number; got {value!r}.") from None
        self._step = step
        with torch.no_grad():
            self.value.fill_(number)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._go_to(self._step)  # `to_empty` leaves memory uninitialized
        return self

    def __repr__(self) -> str:
        return f"Scheduled({self.schedule!r}, step {self._step})"


def _check_steps(name: str, steps: object) -> None:
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"{name}: steps must be a whole number >= 1; got {steps!r}.")
