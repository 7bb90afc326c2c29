"""Values and gradients of label losses against mpmath, element by element, under any options."""

import pytest
import torch
from hypothesis import given as examples
from hypothesis import strategies as st

from authorities import formula_of
from cases import where
from domains import options_of
from effort import few
from inputs import Shape

FORMULAS = where(lambda case: formula_of(case) is not None)


def test_the_losses_of_labels_have_formulas():
    assert {"cross_entropy", "focal_loss", "dice_loss", "dice_ce_loss"} < {case.entry.name for case in FORMULAS}


@pytest.mark.parametrize("case", FORMULAS, ids=str)
@few(4)
@examples(seed=st.integers(0, 100), weighed=st.booleans(), masked=st.booleans(), data=st.data())
def test_value_under_any_options(case, seed, weighed, masked, data):
    options = data.draw(options_of(case, 1 if case.kind == "binary" else 3))
    given = case.given(Shape(2, 3, (2,)), seed)
    generator = torch.Generator().manual_seed(seed)
    weight = torch.rand(given.positions, generator=generator, dtype=torch.float64) if weighed and case.weight else None
    mask = torch.rand(given.positions, generator=generator) < 0.7 if masked else None
    arguments = {k: v for k, v in {"weight": weight, "mask": mask}.items() if v is not None}
    found = case(**options)(*given.tensors, **arguments)
    assert found.item() == pytest.approx(
        float(formula_of(case).value(case, options, given.tensors, weight, mask)), rel=1e-11
    )


@pytest.mark.parametrize("case", FORMULAS, ids=str)
@few(3)
@examples(seed=st.integers(0, 100), data=st.data())
def test_gradient_under_any_options(case, seed, data):
    options = data.draw(options_of(case, 1 if case.kind == "binary" else 3))
    input, target = case.given(Shape(1, 3, (2,)), seed).tensors
    input.requires_grad_()
    case(**options)(input, target).backward()
    # The gradient is a difference of PyTorch's trigamma, which is accurate to 5e-10.
    smallest = 1e-10 if case.entry.name == "evidential_classification_loss" else 1e-12
    wanted = formula_of(case).gradient(case, options, (input, target))
    torch.testing.assert_close(input.grad, wanted, rtol=1e-9, atol=smallest)
