"""DTensors over one- and two-dimensional meshes of four processes, against one machine."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dtensors import LOSSES, PLACED, X, names_at, run


@pytest.fixture(scope="module")
def found() -> list[dict[Any, Any]]:
    return run()


@pytest.mark.parametrize(("where", "name"), [(where, name) for where in PLACED for name in names_at(where)])
def test_the_loss_of_dtensors_is_that_of_the_whole(where: str, name: str, found: list[dict[Any, Any]]) -> None:
    make, target, arguments = LOSSES[name]
    x = X.clone().requires_grad_()
    expected = make()(x, target, **arguments)
    (gradient,) = torch.autograd.grad(expected.sum(), x)
    for rank in found:
        value, found_gradient = rank[where, name]
        torch.testing.assert_close(value, expected.detach(), rtol=1e-12, atol=1e-14)
        # A partial input has shares of the values, each with the whole gradient.
        torch.testing.assert_close(found_gradient, gradient, rtol=1e-11, atol=1e-14)


def test_explain_says_what_was_gathered(found: list[dict[Any, Any]]) -> None:
    for rank in found:
        assert "redistributed" not in rank["samples"]
        assert "redistributed: input from (S(1)) to (R)" in rank["classes"]
        assert "redistributed: target from (R) to (S(0))" in rank["samples, target replicated"]
