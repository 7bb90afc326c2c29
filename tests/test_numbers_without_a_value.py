"""Losses of real numbers where a formula has no value, over micro-batches, and with what is learnt."""

import math

import pytest
import torch

import losskit
from losskit import functional as L
from losskit.losses.robust import log_partition

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
ZERO = [0.0, 0.0, 0.0]
SAID = {  # tensors, and the value that the documentation names
    "mape_loss": ([1.0, 2.0, 0.0], ZERO, 0.0),
    "smape_loss": (ZERO, ZERO, 0.0),
    "relative_lp_loss": ([1.0, 2.0, 0.0], ZERO, 0.0),
    "rmse_loss": ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.0),
    "silog_loss": ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.0),
    "pearson_loss": ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0], 1.0),
    "concordance_loss": ([5.0, 5.0, 5.0], [5.0, 5.0, 5.0], 0.0),
    "berhu_loss": ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.0),
    "wing_loss": (ZERO, ZERO, 0.0),
    "adaptive_wing_loss": (ZERO, ZERO, 0.0),
    "charbonnier_loss": (ZERO, ZERO, 1e-3),
    "tukey_loss": ([100.0, -50.0, 30.0], ZERO, 4.685**2 / 6),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SAID)
def test_the_value_is_the_one_that_is_said_and_both_derivatives_are_finite(name, dtype):
    input, target, value = SAID[name]
    input = torch.tensor(input, dtype=dtype, requires_grad=True)
    found = getattr(L, name)(input, torch.tensor(target, dtype=dtype))
    assert found.item() == pytest.approx(value, rel=1e-6)
    (first,) = torch.autograd.grad(found, input, create_graph=True)
    assert first.isfinite().all()
    if first.requires_grad:
        (second,) = torch.autograd.grad((first.double() ** 2).sum(), input, allow_unused=True)
        assert second is None or second.isfinite().all()


def test_a_column_that_is_nearly_constant_is_constant():
    noise = 1 + 1e-15 * torch.arange(6, dtype=torch.float64)
    assert L.pearson_loss(noise, torch.arange(6.0).double()).item() == 1
    line = torch.arange(6.0).double()
    assert L.pearson_loss(1 + 1e-5 * line, line).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["RMSELoss", "SILogLoss", "PearsonLoss", "ConcordanceLoss"])
def test_sums_of_parts_finish_as_the_whole(name):
    loss, generator = getattr(losskit, name)(), torch.Generator().manual_seed(0)
    input, target = (torch.rand(9, 3, generator=generator, dtype=torch.float64) + 0.1 for _ in range(2))
    weight, mask = torch.rand(9, 3, generator=generator), torch.rand(9, 3, generator=generator) < 0.7
    expected = loss(input, target, weight, mask)
    pieces = [slice(0, 1), slice(1, 1), slice(1, 6), slice(6, 9)]
    sums = sum(loss.totals(input[p], target[p], weight=weight[p], mask=mask[p]) for p in pieces)
    torch.testing.assert_close(loss.finish(sums), expected, rtol=1e-12, atol=1e-13)
    averaged = sum(loss(input[p], target[p]) for p in pieces) / len(pieces)
    assert (averaged - loss(input, target)).abs() > 1e-3
    with pytest.raises(ValueError, match="reduction must be one of 'mean'"):
        type(loss)(reduction="none")


@pytest.mark.parametrize(
    ("alpha", "partition"),
    [(2.0, math.sqrt(2 * math.pi)), (1.0, 2 * math.e * 0.6019072301972346), (1e-6, math.pi * math.sqrt(2))],  # K1(1)
)
def test_the_partition_function_is_the_one_that_is_known(alpha, partition):
    found = log_partition(torch.tensor(min(alpha, 2 - 1e-9), dtype=torch.float64)).exp().item()
    assert found == pytest.approx(partition, rel=1e-5)


def test_alpha_and_scale_are_learnt_from_the_errors():
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(4000, generator=generator, dtype=torch.float64) * 3
    cauchy = normal / 3 / torch.randn(4000, generator=generator, dtype=torch.float64)
    found = []
    for errors in (normal, cauchy):
        loss = losskit.RobustLoss(learnable=True)
        optimizer = torch.optim.Adam(loss.parameters(), 0.1)
        for _ in range(150):
            optimizer.zero_grad()
            loss(errors, torch.zeros_like(errors)).backward()
            optimizer.step()
        found.append((loss.learned()[0].item(), loss(errors, torch.zeros_like(errors)).item()))
    (of_normal, value), (of_cauchy, _) = found
    assert of_normal > 1.6
    deviation = normal.pow(2).mean().sqrt().item()
    assert value == pytest.approx(math.log(deviation) + (1 + math.log(2 * math.pi)) / 2, rel=0.01)
    assert of_cauchy < 0.4
    assert losskit.RobustLoss(learnable=True, alpha=0.5, scale=2.0).learned()[1].item() == pytest.approx(2)
    with pytest.raises(ValueError, match="between 0 and 2"):
        losskit.RobustLoss(learnable=True, alpha=-2.0)


def test_the_noise_is_learnt():
    input, target = torch.randn(8, 1), torch.randn(8, 1)
    loss = losskit.BalancedMSELoss(noise=torch.nn.Parameter(torch.tensor(2.0)))
    loss(input, target).backward()
    assert loss.noise.grad != 0
    torch.testing.assert_close(loss(input, target).detach(), losskit.BalancedMSELoss(noise=2.0)(input, target))
    noise = torch.nn.Parameter(torch.tensor(2.0))
    L.balanced_mse_loss(input, target, noise=noise).backward()
    torch.testing.assert_close(noise.grad, loss.noise.grad)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: L.msle_loss(x - 2, x), "holds -1.5, but log"),
        (lambda x: L.silog_loss(x * 0, x), "depths are above 0"),
        (lambda x: L.tweedie_loss(x, -x), "target holds -0.5.*not negative"),
        (lambda x: L.tweedie_loss(x, x * 0, power=2.0), "target holds 0.*above 0"),
        (lambda x: L.gamma_nll_loss(x, x * 0), "positive numbers alone"),
        (lambda x: L.laplace_nll_loss(x, x, x * 0), "scale holds 0"),
        (lambda x: L.crps_loss(x, x, -x), "std holds -0.5"),
        (lambda x: L.negative_binomial_nll_loss(x, x, x * 0), "dispersion not above 0"),
        (lambda x: L.evidential_loss(x, x, x, x, x), "alpha above 1"),
        (lambda x: L.mixture_nll_loss(x[:, None], x[:, None], -x[:, None], x), "scale holds -0.5"),
        (lambda x: L.quantile_loss(x, x, quantiles=[0.1, 0.9]), "prediction for each quantile in the last"),
        (lambda x: L.quantile_loss(x, x, quantiles=1.5), "quantiles"),
        (lambda x: L.ensemble_crps_loss(x[:, None], x, fair=True), "at least 2"),
        (lambda x: L.ensemble_crps_loss(x, x), "members in dimension 1"),
        (lambda x: L.balanced_l1_loss(x, x, alpha=0.01), "Raise alpha"),
    ],
)
def test_what_has_no_loss_is_an_error(call, said):
    with pytest.raises(ValueError, match=said):
        call(torch.full((3,), 0.5))


def test_what_is_masked_is_not_checked():
    x, mask = torch.tensor([0.5, -3.0, 0.7]), torch.tensor([True, False, True])
    for value in (
        L.msle_loss(x, x, mask=mask),
        L.silog_loss(x, x, mask=mask),
        L.gamma_nll_loss(x, x, mask=mask),
        L.tweedie_loss(x, x, mask=mask, power=2.5),
        L.crps_loss(x, x, x, mask=mask),
        L.evidential_loss(x, x, x + 1, x, x, mask=mask),
    ):
        assert value.isfinite()
