"""Sobolev losses against closed forms: values and slopes worked by hand, random directions, and grids."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import losskit
from losskit import functional as L


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


class Waves(nn.Module):
    """sin(x a + b) a sample: (N, D) to (N, K), whose derivative is cos(x a + b) times a."""

    def __init__(self, inputs: int = 3, outputs: int = 4) -> None:
        super().__init__()
        self.a = nn.Parameter(numbers(inputs, outputs, seed=8))
        self.b = nn.Parameter(numbers(outputs, seed=9))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x @ self.a + self.b)

    def jacobian(self, x: Tensor) -> Tensor:
        """(N, K, D)."""
        return torch.cos(x @ self.a + self.b).unsqueeze(-1) * self.a.T


def test_a_sine_against_a_cosine_by_hand() -> None:
    """At x = 0, π/6 and π/2, a model of 2 sin x for the target sin x, slopes 2 cos x for cos x.

    Errors of value sin x: 0, 1/2, 1, squared 0, 1/4, 1; of slope cos x: 1, √3/2, 0, squared 1, 3/4, 0.
    With the weight 1/2: 1/2, 1/4 + 3/8 = 5/8, 1, of mean 17/24.
    """
    x = torch.tensor([0.0, math.pi / 6, math.pi / 2]).double()
    for shape in ((3,), (3, 1)):
        inputs = x.reshape(shape).requires_grad_()
        output, target, slope = 2 * inputs.sin(), inputs.detach().sin(), inputs.detach().cos()
        given: dict[str, Any] = {"inputs": inputs, "target_grad": slope, "derivative_weight": 0.5}
        each = L.sobolev_loss(output, target, **given, reduction="none")
        assert each.shape == shape
        torch.testing.assert_close(each.reshape(3), torch.tensor([1 / 2, 5 / 8, 1]).double())
        assert float(L.sobolev_loss(output, target, **given)) == pytest.approx(17 / 24)
        assert float(L.sobolev_loss(output, target, **given, reduction="sum")) == pytest.approx(17 / 8)
        weight = torch.tensor([1.0, 3.0, 0.0]).double().reshape(shape)
        value = L.sobolev_loss(output, target, weight, **given)
        assert float(value) == pytest.approx((1 / 2 + 3 * 5 / 8) / 4)


def test_several_inputs_and_outputs_by_hand() -> None:
    """f(x, y) = (xy, x + y) at (2, 3) for a target of 0 with slopes of 0: Jacobian rows (3, 2) and (1, 1).

    Values 36 and 25; slopes (9 + 4) / 2 and (1 + 1) / 2; so 42.5 and 26, of mean 34.25.
    """
    inputs = torch.tensor([[2.0, 3.0]]).double().requires_grad_()
    output = torch.stack([inputs.prod(1), inputs.sum(1)], 1)
    zero, slopes = torch.zeros(1, 2).double(), torch.zeros(1, 2, 2).double()
    each = L.sobolev_loss(output, zero, inputs=inputs, target_grad=slopes, reduction="none")
    assert each.tolist() == [[42.5, 26.0]]
    assert float(L.sobolev_loss(output, zero, inputs=inputs, target_grad=slopes)) == 34.25


def test_without_slopes_it_is_the_squared_error() -> None:
    model, inputs = Waves(), numbers(5, 3).requires_grad_()
    output, target = model(inputs), numbers(5, 4, seed=1)
    for reduction in ("mean", "sum", "none"):
        value = L.sobolev_loss(
            output, target, inputs=inputs, target_grad=numbers(5, 4, 3), derivative_weight=0.0, reduction=reduction
        )
        torch.testing.assert_close(value, F.mse_loss(output, target, reduction=reduction))


def test_the_gradient_reaches_the_model_through_both() -> None:
    """Against the closed form of the Jacobian, differentiated as any tensor."""
    model, inputs = Waves(), numbers(5, 3).requires_grad_()
    target, slopes = numbers(5, 4, seed=1), numbers(5, 4, 3, seed=2)
    value = L.sobolev_loss(model(inputs), target, inputs=inputs, target_grad=slopes, derivative_weight=0.3)
    x = inputs.detach()
    closed = F.mse_loss(model(x), target) + 0.3 * F.mse_loss(model.jacobian(x), slopes)
    torch.testing.assert_close(value, closed)
    found, expected = (torch.autograd.grad(v, list(model.parameters())) for v in (value, closed))
    torch.testing.assert_close(found, expected)


def test_images_for_inputs() -> None:
    """A quadratic form of an image: f = sum of w x², whose derivative is 2 w x."""
    inputs, w = numbers(2, 1, 3, 4).requires_grad_(), numbers(1, 3, 4, seed=1)
    output = (w * inputs**2).flatten(1).sum(1)
    zero, slopes = torch.zeros(2).double(), numbers(2, 1, 3, 4, seed=2)
    value = L.sobolev_loss(output, zero, inputs=inputs, target_grad=slopes)
    torch.testing.assert_close(value, (output**2).mean() + F.mse_loss(2 * w * inputs.detach(), slopes))


@pytest.mark.parametrize("outputs", [1, 4])
def test_random_directions_are_a_fair_sample(outputs: int) -> None:
    """Their mean is the whole, in value and in gradient, and a generator repeats them."""
    model, inputs = Waves(outputs=outputs), numbers(5, 3).requires_grad_()
    output, target, slopes = model(inputs), numbers(5, outputs, seed=1), numbers(5, outputs, 3, seed=2)
    given: dict[str, Any] = {"inputs": inputs, "target_grad": slopes}
    whole = L.sobolev_loss(output, target, **given)
    (expected,) = torch.autograd.grad(whole, model.a, retain_graph=True)
    estimate = L.sobolev_loss(output, target, **given, directions=3000, generator=generator())
    (gradient,) = torch.autograd.grad(estimate, model.a, retain_graph=True)
    assert float(estimate) == pytest.approx(float(whole), rel=0.02)
    torch.testing.assert_close(gradient, expected, rtol=0.1, atol=0.05 * float(expected.abs().max()))
    one, again, other = (
        L.sobolev_loss(output, target, **given, directions=1, generator=generator(seed)) for seed in (3, 3, 4)
    )
    assert one == again
    assert one != other


def test_one_direction_by_hand() -> None:
    """In one dimension a direction is 1 or -1, so that it tells everything; a sine as above."""
    x = torch.tensor([0.0, math.pi / 6, math.pi / 2]).double().requires_grad_()
    given: dict[str, Any] = {"inputs": x, "target_grad": x.detach().cos(), "derivative_weight": 0.5}
    value = L.sobolev_loss(2 * x.sin(), x.detach().sin(), **given, directions=1)
    assert float(value) == pytest.approx(17 / 24)


@pytest.mark.parametrize("directions", [None, 2])
def test_what_does_not_count_may_hold_nan(directions: int | None) -> None:
    model, inputs = Waves(), numbers(5, 3).requires_grad_()
    mask = torch.rand(5, 4, generator=generator(4)) < 0.6
    output = model(inputs)
    target, slopes = numbers(5, 4, seed=1), numbers(5, 4, 3, seed=2)
    spoilt = target.where(mask, math.nan), slopes.where(mask.unsqueeze(-1), math.nan)
    values = [
        L.sobolev_loss(
            output, y, mask=m, inputs=inputs, target_grad=dy, directions=directions, generator=generator(), **o
        )
        for y, dy, m, o in ((*spoilt, mask, {}), (target, slopes, None, {"reduction": "none"}))
    ]
    torch.testing.assert_close(values[0], values[1][mask].mean())
    gradients = [torch.autograd.grad(v, model.a, retain_graph=True)[0] for v in (values[0], values[1][mask].mean())]
    torch.testing.assert_close(gradients[0], gradients[1])
    nothing = torch.zeros(5, 4, dtype=torch.bool)
    assert L.sobolev_loss(output, *spoilt[:1], mask=nothing, inputs=inputs, target_grad=spoilt[1]) == 0


def test_half_precision_and_micro_batches() -> None:
    model, inputs = Waves().float(), numbers(6, 3).float().requires_grad_()
    target, slopes = numbers(6, 4, seed=1).float(), numbers(6, 4, 3, seed=2).float()
    output = model(inputs)
    whole = L.sobolev_loss(output, target, inputs=inputs, target_grad=slopes)
    value = L.sobolev_loss(output.bfloat16(), target, inputs=inputs, target_grad=slopes)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(whole), rel=0.02)
    criterion, parts = losskit.SobolevLoss(), (slice(0, 1), slice(1, 6))
    counts = criterion.counts(target)
    total = 0.0
    for p in parts:
        x = inputs.detach()[p].requires_grad_()
        total += float(criterion(model(x), target[p], inputs=x, target_grad=slopes[p], whole=counts))
    assert total == pytest.approx(float(whole), rel=1e-5)


def test_it_joins_the_algebra() -> None:
    model, inputs = Waves(), numbers(5, 3).requires_grad_()
    output, target, slopes = model(inputs), numbers(5, 4, seed=1), numbers(5, 4, 3, seed=2)
    criterion = losskit.L1Loss() + 0.1 * losskit.SobolevLoss()
    value, parts = criterion.parts(output, target, inputs=inputs, target_grad=slopes)
    expected = F.l1_loss(output, target) + 0.1 * L.sobolev_loss(output, target, inputs=inputs, target_grad=slopes)
    torch.testing.assert_close(value, expected)
    assert set(parts) == {"l1", "sobolev"}


def test_what_is_wrong_is_said() -> None:
    model, x = Waves(), numbers(5, 3).requires_grad_()
    output, target, slopes = model(x), numbers(5, 4), numbers(5, 4, 3)

    def refused(message: str, output: Tensor, inputs: Tensor, slopes: Tensor, **options: Any) -> None:
        with pytest.raises(ValueError, match=message):
            L.sobolev_loss(output, target, inputs=inputs, target_grad=slopes, **options)

    refused(r"inputs does not require grad.*inputs\.requires_grad_\(\) before", output, x.detach(), slopes)
    for directions in (None, 2):
        refused("output does not depend on inputs.*the very tensor", output, x * 1, slopes, directions=directions)
    refused("it carries no graph.*enable_grad", output.detach(), x, slopes)
    refused(r"target_grad has shape \(5, 3\).*take \(5, 4, 3\)", output, x, slopes[:, 0])
    refused(r"output \(5, 4\) and inputs \(3, 3\) must begin with the same number", output, x[:3], slopes)
    refused(r"output has shape \(5, 1\) and target \(5, 4\)", output[:, :1], x, slopes)
    with pytest.raises(ValueError, match="directions must be an integer >= 1"):
        losskit.SobolevLoss(directions=0)


# On a grid


def field(*spatial: int, seed: int = 0) -> Tensor:
    return numbers(2, 1, *spatial, seed=seed)


def test_a_line_by_hand() -> None:
    """Errors 1, 3, 2 at a spacing of 1/2: differences 4 and -2, squared 16 and 4.

    Beside each point: 16; (16 + 4) / 2 = 10; 4. With the weight 0.1: 1 + 1.6, 9 + 1, 4 + 0.4.
    """
    error = torch.tensor([[[1.0, 3.0, 2.0]]]).double()
    given: dict[str, Any] = {"spacing": 0.5, "derivative_weight": 0.1}
    each = L.grid_sobolev_loss(error + 7, torch.full_like(error, 7), **given, reduction="none")
    torch.testing.assert_close(each, torch.tensor([[[2.6, 10.0, 4.4]]]).double())
    assert float(L.grid_sobolev_loss(error, 0 * error, **given)) == pytest.approx(17 / 3)
    mask = torch.tensor([[[True, True, False]]])
    spoilt = error.where(mask, math.nan).requires_grad_()
    value = L.grid_sobolev_loss(spoilt, 0 * error, mask=mask, **given)
    assert float(value.detach()) == pytest.approx((1 + 1.6 + 9 + 1.6) / 2)
    assert torch.autograd.grad(value, spoilt)[0][0, 0, 2] == 0


def test_a_plane_by_hand() -> None:
    """An error of 2x + 3y, one spacing for each dimension: every difference is the slope, so (4 + 9) / 2 everywhere."""
    y, x = torch.meshgrid(torch.arange(4) * 0.5, torch.arange(5) * 0.1, indexing="ij")
    error = (2 * x + 3 * y).double().expand(1, 1, 4, 5)
    each = L.grid_sobolev_loss(error, 0 * error, spacing=[0.5, 0.1], reduction="none")
    torch.testing.assert_close(each - error**2, torch.full_like(error, 6.5), rtol=1e-6, atol=1e-6)


def test_a_fine_grid_is_the_derivative() -> None:
    """sin x e^y for 0, whose slopes are cos x e^y and sin x e^y, against the loss by autograd at the same points."""
    steps = torch.linspace(0, 1, 400).double()
    x, y = torch.meshgrid(steps, steps, indexing="ij")
    surface = x.sin() * y.exp()
    on_grid = L.grid_sobolev_loss(surface[None, None], torch.zeros(1, 1, 400, 400).double(), spacing=1 / 399)
    points = torch.stack([x.reshape(-1), y.reshape(-1)], 1).requires_grad_()
    output = points[:, 0].sin() * points[:, 1].exp()
    zero = torch.zeros(len(points)).double()
    by_autograd = L.sobolev_loss(output, zero, inputs=points, target_grad=torch.zeros_like(points))
    assert float(on_grid) == pytest.approx(float(by_autograd), rel=1e-4)


def test_alternating_errors_are_seen() -> None:
    """Central differences, two points apart, find no slope in +1, -1, +1; neighbours find 2 / h."""
    error = torch.tensor([1.0, -1.0] * 4).reshape(1, 1, 8)
    assert L.grid_sobolev_loss(error, 0 * error, spacing=0.5) == 1 + 16


def test_grids_are_differentiable_twice_and_compile() -> None:
    criterion, target = losskit.GridSobolevLoss(spacing=[0.5, 2.0]), field(3, 4, seed=1)
    x = field(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: criterion(x, target), (x,))
    assert torch.autograd.gradgradcheck(lambda x: criterion(x, target), (x,))
    torch._dynamo.reset()
    compiled: Any = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, target), criterion(x, target))
    for dtype in (torch.float16, torch.bfloat16):
        assert criterion(x.to(dtype), target).dtype == torch.float32


def test_what_is_no_grid_is_an_error() -> None:
    for message, input, options in (
        (r"at least two points in each spatial dimension; got \(2, 1, 1\)", field(1), {}),
        (r"input must have shape \(N, C, \*\)", numbers(2, 3), {}),
        (r"spacing has 3 numbers, but input \(2, 1, 3, 4\) has 2 spatial", field(3, 4), {"spacing": [1, 2, 3]}),
        (r"spacing must be", field(3, 4), {"spacing": 0.0}),
    ):
        with pytest.raises(ValueError, match=message):
            L.grid_sobolev_loss(input, 0 * input, **options)
