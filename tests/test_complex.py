"""Complex numbers: the modulus of the difference in MSE, L1, smooth L1 and Huber, an error elsewhere."""

import pytest
import torch

import losskit
from cases import CASES
from inputs import Shape

KNOWN = {
    "mse_loss": lambda d: d.real**2 + d.imag**2,
    "l1_loss": lambda d: (d.real**2 + d.imag**2).sqrt(),
    "smooth_l1_loss": lambda d: torch.where(d.abs() < 1, d.abs() ** 2 / 2, d.abs() - 0.5),
    "huber_loss": lambda d: torch.where(d.abs() < 1, d.abs() ** 2 / 2, d.abs() - 0.5),
}
SHAPE = Shape(2, 3, (4,))
MEASURED = [case for case in CASES if case.entry.name in KNOWN]
OTHERS = [case for case in CASES if case.entry.name not in KNOWN]


def numbers(seed, dtype, size=(2, 3, 40)):
    return 2 * torch.randn(size, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtypes", [("c64", "c64"), ("c128", "c128"), ("c64", "f32"), ("f32", "c64"), ("f64", "c128")])
@pytest.mark.parametrize("case", MEASURED, ids=str)
def test_the_modulus_of_the_difference_is_measured(case, dtypes):
    known = {"c64": torch.complex64, "c128": torch.complex128, "f32": torch.float32, "f64": torch.float64}
    x, y = (numbers(seed, known[name]) for seed, name in enumerate(dtypes))
    weight = torch.rand(x.shape)
    exact = KNOWN[case.entry.name](x - y)
    torch.testing.assert_close(case(reduction="none")(x, y), exact)
    torch.testing.assert_close(case()(x, y, weight=weight), (exact * weight).sum() / weight.sum(), check_dtype=False)
    torch.testing.assert_close(case(reduction="sum")(x, y, mask=weight > 0.5), exact[weight > 0.5].sum())
    parts = losskit.MSELoss() + case()
    torch.testing.assert_close(parts(x, y), losskit.MSELoss()(x, y) + exact.mean())
    x.requires_grad_()
    (found,) = torch.autograd.grad(case()(x, y), x)
    (expected,) = torch.autograd.grad(KNOWN[case.entry.name](x - y).mean(), x)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("case", OTHERS, ids=str)
def test_everything_else_refuses_each_tensor_by_its_name(case):
    given, loss = case.given(SHAPE, 3, torch.float32), case()
    for i, tensor in enumerate(given.tensors):
        tensors = [*given.tensors]
        tensors[i] = tensor.to(torch.complex64)
        with pytest.raises(TypeError, match=r"complex"):
            loss(*tensors)


@pytest.mark.parametrize("case", [case for case in CASES if case.weight], ids=str)
def test_a_complex_weight_is_refused(case):
    given, loss = case.given(SHAPE, 3, torch.float32), case()
    with pytest.raises(TypeError, match=r"weight is complex"):
        loss(*given.tensors, weight=torch.ones(given.positions, dtype=torch.complex64))
