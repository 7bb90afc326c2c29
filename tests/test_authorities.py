"""Every loss against its authority: sizes, options other than the defaults, precisions, gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from mpmath import mpf, sqrt
from torch import Tensor

import losskit
from authorities import AUTHORITIES
from cases import CASES, ENTRIES, cases_of
from inputs import Case, Given, Shape
from losskit.core.catalogue import Entry
from losskit.core.loss import Loss
from losskit.core.means import RegressionLoss
from references import Authority, ByHand, Formula, Numbers, Peer, Setting, numbers_of, own_options

SIZES = [Shape(2, 3, (2,)), Shape(5, 3, ()), Shape(1, 3, (2, 3)), Shape(2, 3, (2, 1, 2))]
# Relative tolerances of values, and of gradients, which are rounded to the precision of the input.
PRECISION = {
    torch.float32: (2e-5, 2e-5),
    torch.float16: (2e-5, 2e-3),
    torch.bfloat16: (2e-5, 1.6e-2),
}
NAMES = [entry.name for entry in ENTRIES]


def entry_of(name: str) -> Entry:
    return next(entry for entry in ENTRIES if entry.name == name)


def pairs(name: str) -> Iterator[tuple[Case, Authority]]:
    """The cases of a loss with each authority that covers them."""
    for authority in AUTHORITIES[name]:
        if not isinstance(authority, ByHand):
            yield from ((case, authority) for case in CASES if case.entry.name == name and authority.covers(case))


def close(found: Tensor, expected: Tensor, relative: float, what: str, sizes: Tensor | None = None) -> None:
    """Equal relative to each number, and to the largest of them or of these sizes."""
    sizes = expected.abs() if sizes is None else sizes
    scale = float(sizes.max()) if sizes.numel() else 0.0
    torch.testing.assert_close(
        found.double(),
        expected.double(),
        rtol=relative,
        atol=relative * scale / 4,
        msg=lambda text: f"{what}: {text}",
    )


def compare(
    case: Case, authority: Authority, setting: Setting, given: Given, reduction: str, dtype: torch.dtype, loss: Any
) -> Numbers:
    """The numbers of the loss at these tensors in this precision, after checking them against the authority."""
    rounded = given.to(dtype)
    what = f"{case} {dict(setting.ours)} reduction={reduction!r} in {dtype} against {authority.title}"
    criterion = loss(**{**case.options, **setting.ours, "reduction": reduction})
    found = numbers_of(criterion, rounded.tensors, case.differentiable)
    expected = authority.expected(case, setting, rounded.to(torch.float64).tensors, reduction)
    of_value, of_gradient = PRECISION.get(dtype, (0.0, 0.0))
    close(found.value, expected.value, max(of_value, authority.tolerance), what)
    for at, (i, ours) in enumerate(zip(case.differentiable, found.gradients, strict=True)):
        scale = ours.abs().double()
        if expected.along:
            ours, scale = (ours.double() * expected.along[at]).sum(), (scale * expected.along[at].abs()).sum()
        of = f"gradient by {case.loss.tensors[i]} of {what}"
        close(ours, expected.gradients[at], max(of_gradient, authority.tolerance), of, scale)
    return found


@dataclass
class Run:
    """A run of every authority of a loss; records which of its own options were set, and whether they had an effect."""

    cls: type[Loss]
    matters: dict[str, bool] = field(default_factory=dict)

    def of(self, name: str) -> Run:
        for case, authority in pairs(name):
            sizes = [size for size in SIZES if fits(case, size)]
            moved = [self.in_size(case, authority, size, small=size is sizes[0]) for size in sizes]
            assert any(moved), f"{case} against {authority.title}: gradients of zero compare nothing"
        for authority in AUTHORITIES[name]:
            if isinstance(authority, ByHand):
                for dtype in (torch.float64, torch.float32):
                    authority.check(self.cls, dtype)
                self.matters |= dict.fromkeys(authority.options, True)
        return self

    def in_size(self, case: Case, authority: Authority, size: Shape, *, small: bool) -> bool:
        """Check all settings in float64, and the smallest size in every precision; whether any gradient is not 0."""
        given, moved = case.given(size, seed=1), False
        settings = list(authority.settings_of(case, given))
        for setting in settings:
            often = authority.quick or setting in (settings[0], settings[-1])
            if not (often or small):
                continue
            for reduction in authority.reductions:
                if reduction in case.reductions and not (case.composite and reduction == "none"):
                    found = compare(case, authority, setting, given, reduction, torch.float64, self.cls)
                    moved = moved or any(bool((g != 0).any()) for g in found.gradients)
                    self.note_what_matters(case, setting, given, found.value, reduction)
            for dtype in PRECISION if often and small else ():
                compare(case, authority, setting, given, authority.reductions[0], dtype, self.cls)
        return moved

    def note_what_matters(self, case: Case, setting: Setting, given: Given, value: Tensor, reduction: str) -> None:
        """Note for each own option of this setting whether its default changes the value."""
        options = {**case.options, **setting.ours, "reduction": reduction}
        for name in set(own_options(self.cls)) & options.keys():
            default = self.cls.options[name].default
            if options[name] is default or options[name] == default:
                continue
            try:
                plain = self.cls(**{**options, name: default})(*given.tensors).detach()
            except (TypeError, ValueError):  # the other options need this one
                changed = True
            else:
                changed = plain.shape != value.shape or not torch.allclose(plain, value, rtol=1e-6, atol=1e-9)
            self.matters[name] = self.matters.get(name, False) or changed


def fits(case: Case, size: Shape) -> bool:
    """Whether a case takes inputs of this size: regions have positions, and fields neighbours in every dimension."""
    if case.region and not size.spatial:
        return False
    return case.kind != "fields" or min(size.spatial, default=2) > 1


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_are_those_of_the_authority(name: str) -> None:
    assert_registered(entry_of(name), AUTHORITIES)
    matters = Run(entry_of(name).loss).of(name).matters
    family = entry_of(name).family
    for option in own_options(entry_of(name).loss):
        assert option in matters, (
            f"{name}: no authority sets {option} to anything but its default: add a setting of it to "
            f'AUTHORITIES["{name}"] in tests/authorities/{family}.py.'
        )
        assert matters[option], f"{name}: {option} changes no number that is tested."


def assert_registered(entry: Entry, authorities: dict[str, list[Authority]]) -> None:
    """A loss has an authority that has cases, and its documentation names what runs."""
    place = f"tests/authorities/{entry.family}.py"
    found = authorities.get(entry.name)
    assert found, (
        f"{entry.name} has no authority, so nothing from outside says that its numbers are right. Add a row to "
        f'AUTHORITIES in {place}: "{entry.name}": [...] of Peer, Formula or ByHand from tests/references.py.'
    )
    for authority in found:
        runs = isinstance(authority, ByHand) or any(map(authority.covers, cases_of(entry)))
        row = f'AUTHORITIES["{entry.name}"] in {place}'
        assert runs, f"{entry.name}: its authority {authority.title} runs no case: see kinds= of {row}."
    *most, last = dict.fromkeys(authority.title for authority in found)
    titles = " and ".join([*filter(None, [", ".join(most)]), last])
    assert entry.authority == titles, (
        f"{entry.loss.__name__} says that it is tested against {entry.authority!r}, but what runs is another: write "
        f'authority = "{titles}" in the class.'
    )


class Wrong(RegressionLoss):
    """Two thirds of log-cosh near 0."""

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return (input - target) ** 2 / 3


class Flat(losskit.LogCoshLoss):
    """The right value with half of the gradient."""

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        value = super().per_element(input, target)
        return (value + value.detach()) / 2


class Rounded(losskit.LogCoshLoss):
    """Right in float64 alone."""

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        value = super().per_element(input, target)
        return value if value.dtype == torch.float64 else value * (1 + 1e-3)


class Deaf(losskit.CharbonnierLoss):
    """Without its option."""

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return ((input - target) ** 2 + 1e-6).sqrt()


class Halved(losskit.SobolevLoss):
    """Half of the value worked by hand."""

    def weighed(self, *tensors: Any, **arguments: Any) -> Any:
        value, share = super().weighed(*tensors, **arguments)
        return value / 2, share


WRONG: dict[type[Loss], str] = {
    Wrong: "log_cosh_loss",
    Flat: "log_cosh_loss",
    Rounded: "log_cosh_loss",
    Deaf: "charbonnier_loss",
    Halved: "sobolev_loss",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda cls: cls.__name__)
def test_a_wrong_loss_is_caught(wrong: type[Loss]) -> None:
    name = WRONG[wrong]
    Run(entry_of(name).loss).of(name)
    with pytest.raises(AssertionError, match="not close"):
        Run(wrong).of(name)


def test_an_option_that_does_nothing_is_seen() -> None:
    """The reference may leave it out too."""
    deaf = Formula(lambda x, y, o: sqrt((x - y) ** 2 + mpf(1e-6)))
    run = Run(Deaf)
    case = next(case for case in CASES if case.entry.name == "charbonnier_loss")
    run.in_size(case, deaf, SIZES[0], small=True)
    assert run.matters == {"eps": False}


def test_a_loss_without_an_authority_is_not_registered() -> None:
    entry = entry_of("huber_loss")
    for found, message in (
        ({}, r'Add a row to AUTHORITIES in tests/authorities/regression\.py: "huber_loss": '),
        ({"huber_loss": []}, r"Add a row to AUTHORITIES in tests/authorities/regression\.py"),
        ({"huber_loss": [Peer("torch.nn.functional.huber_loss", kinds=("indices",))]}, "runs no case: see kinds="),
        ({"huber_loss": AUTHORITIES["mse_loss"]}, 'write authority = "torch.nn.functional.mse_loss" in the class'),
    ):
        with pytest.raises(AssertionError, match=message):
            assert_registered(entry, found)


def test_no_authority_is_left_over() -> None:
    assert AUTHORITIES.keys() == set(NAMES)
