"""Tensor options of one number: the formula runs in the pass, and their gradients are sums of the same pass."""

import copy

import pytest
import torch
from torch import nn

import losskit
from losskit import RegressionLoss, RobustLoss, option

X, T = torch.randn(2, 6, 7, generator=torch.Generator().manual_seed(0)).unbind(0)
W = torch.rand(6, 7, generator=torch.Generator().manual_seed(1))
MASK = W > 0.3


class Learned(RegressionLoss):
    """Its options may be parameters."""

    alpha: float | nn.Parameter = option(default=1.0, doc="the curvature")
    shift: float | nn.Parameter = option(default=0.0, doc="what is added")
    power: float | nn.Parameter = option(default=1.5, doc="the exponent")

    def per_element(self, input, target):
        d = (input - target).abs()
        return torch.log1p(self.alpha.exp() * d**self.power) - self.alpha * torch.tanh(d) + self.shift


def learned(dtype=torch.float32, **options):
    numbers = {"alpha": 0.7, "shift": -0.2, **options}
    return Learned(**{name: nn.Parameter(torch.tensor(number, dtype=dtype)) for name, number in numbers.items()})


def by_hand(loss, x, t, weight=None, mask=None, divisor=None):
    """The same in plain PyTorch and float64: the value, and the gradients by input and parameters."""
    x = x.detach().double().requires_grad_()
    alpha, shift = (p.detach().double().requires_grad_() for p in (loss.alpha, loss.shift))
    d = (x - t.double()).abs()
    values = torch.log1p(alpha.exp() * d**1.5) - alpha * torch.tanh(d) + shift
    weight = torch.ones_like(values) if weight is None else weight.double()
    counts = weight if mask is None else weight.where(mask, 0.0)
    value = (values * counts).sum() / (counts.sum() if divisor is None else divisor)
    return [value, *torch.autograd.grad(value, (x, alpha, shift))]


def by_pass(loss, x, t, **arguments):
    x = x.detach().clone().requires_grad_()
    (only,) = losskit.explain(loss, x, t, **arguments)
    assert only.operator == "native"
    value = loss(x, t, **arguments)
    return [value, *torch.autograd.grad(value, (x, loss.alpha, loss.shift))]


def close(found, known, rtol=2e-6, atol=1e-7):
    for a, b in zip(found, known, strict=True):
        torch.testing.assert_close(a.double(), b.double(), rtol=rtol, atol=atol)


@pytest.mark.parametrize("arguments", [{}, {"weight": W}, {"mask": MASK}, {"weight": W, "mask": MASK}])
def test_value_and_gradients(arguments):
    close(by_pass(learned(), X, T, **arguments), by_hand(learned(), X, T, **arguments))


def test_another_denominator_and_sums():
    close(by_pass(learned(), X, T, normalizer=10.0), by_hand(learned(), X, T, divisor=10.0))
    summed = learned()
    summed.reduction = "sum"
    close(by_pass(summed, X, T), by_hand(summed, X, T, divisor=1.0))


def test_float64_and_half_precision():
    double = by_pass(learned(torch.float64), X.double(), T.double())
    close(double, by_hand(learned(torch.float64), X, T), rtol=1e-12, atol=1e-14)
    x, t = X.bfloat16(), T.bfloat16()
    found, known = by_pass(learned(), x, t), by_hand(learned(), x, t)
    close([found[0], *found[2:]], [known[0], *known[2:]])
    close([found[1]], [known[1].bfloat16()], rtol=1e-2)


def test_the_incoming_gradient_scales_all():
    loss, x = learned(), X.clone().requires_grad_()
    found = torch.autograd.grad(-3.0 * loss(x, T), (x, loss.alpha, loss.shift))
    close(found, [-3.0 * g for g in by_hand(loss, X, T)[1:]])


def test_an_input_without_a_gradient():
    loss = learned()
    found = torch.autograd.grad(loss(X, T), (loss.alpha, loss.shift))
    close(found, by_hand(loss, X, T)[2:])


def test_a_frozen_number_is_read_and_has_no_gradient():
    loss = learned()
    loss.shift.requires_grad_(False)
    x = X.clone().requires_grad_()
    close(torch.autograd.grad(loss(x, T), (x, loss.alpha)), by_hand(loss, X, T)[1:3])
    loss.alpha.requires_grad_(False)
    close([loss(x, T), *torch.autograd.grad(loss(x, T), x)], by_hand(loss, X, T)[:2])
    known = by_hand(loss, X, T)[:1]
    with torch.no_grad():
        close([learned()(x, T)], known)


def test_an_optimizer_changes_what_the_next_call_reads():
    loss, x = learned(), X.clone().requires_grad_()
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        loss(x, T).backward()
        optimizer.step()
        close(by_pass(loss, X, T), by_hand(loss, X, T))
    assert len(loss.plans) <= 3  # one for each layout, none for each number


def test_a_formula_is_recorded_once(monkeypatch):
    from losskit.ops import formula

    recorded, record = [], formula.record
    monkeypatch.setattr(formula, "record", lambda *given: recorded.append(1) or record(*given))

    class Own(Learned):
        def per_element(self, input, target):
            return self.alpha * (input - target) ** 2 + self.shift

    for k in range(4):
        loss = Own(alpha=nn.Parameter(torch.tensor(1.0 + k)), shift=nn.Parameter(torch.tensor(0.5 * k)))
        loss(X.clone().requires_grad_(), T).backward()
        assert loss.alpha.grad.item() == pytest.approx((X - T).square().mean().item())
        assert loss.shift.grad.item() == pytest.approx(1.0)
    assert len(recorded) == 1


def test_second_derivatives_and_gradients_by_finite_differences():
    loss = learned(torch.float64)
    x, t = X[:2].double().requires_grad_(), T[:2].double()

    def of(x, alpha, shift):
        return loss(x, t)

    assert torch.autograd.gradcheck(of, (x, loss.alpha, loss.shift))
    assert torch.autograd.gradgradcheck(of, (x, loss.alpha, loss.shift))


def test_a_second_backward_pass_and_a_change_between():
    loss, x = learned(), X.clone().requires_grad_()
    value = loss(x, T)
    first = torch.autograd.grad(value, (x, loss.alpha), retain_graph=True)
    close(torch.autograd.grad(value, (x, loss.alpha), retain_graph=True), first)
    with torch.no_grad():
        loss.alpha += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_copies_and_functional_calls():
    loss = learned()
    twin = copy.deepcopy(loss)
    with torch.no_grad():
        twin.alpha += 1
    close(by_pass(twin, X, T), by_hand(twin, X, T))
    close(by_pass(loss, X, T), by_hand(loss, X, T))
    x = X.clone().requires_grad_()
    value = torch.func.functional_call(loss, {"alpha": twin.alpha, "shift": twin.shift}, (x, T))
    close(torch.autograd.grad(value, (x, twin.alpha, twin.shift)), by_hand(twin, X, T)[1:])
    by_transform = torch.func.grad(lambda p: torch.func.functional_call(loss, p, (X, T)))(dict(loss.named_parameters()))
    close([by_transform["alpha"], by_transform["shift"]], by_hand(loss, X, T)[2:])


def test_what_is_no_number_runs_as_plain_pytorch():
    loss = learned()
    loss.alpha = nn.Parameter(torch.tensor([0.7]))
    x = X.clone().requires_grad_()
    (only,) = losskit.explain(loss, x, T)
    assert only.operator == "reference"
    assert "tensor" in str(only)
    loss(x, T).backward()
    close([loss.alpha.grad.reshape(())], by_hand(learned(), X, T)[2:3])


def test_a_part_of_a_sum():
    loss, x = learned(), X.clone().requires_grad_()
    value = 2.0 * loss + losskit.MSELoss()
    found = torch.autograd.grad(value(x, T), (x, loss.alpha, loss.shift))
    known = by_hand(loss, X, T)[1:]
    close(found, [2 * known[0] + 2 * (X - T) / X.numel(), 2 * known[1], 2 * known[2]])


def test_a_learned_exponent():
    loss, x = learned(torch.float64, power=1.5), X.double().requires_grad_()
    (only,) = losskit.explain(loss, x, T.double())
    assert only.operator == "native"

    def of(x, power):
        return loss(x, T.double())

    assert torch.autograd.gradcheck(of, (x, loss.power))
    single = learned(power=1.5)
    (found,) = torch.autograd.grad(single(X, T), single.power)
    (known,) = torch.autograd.grad(loss(X.double(), T.double()), loss.power)
    close([found], [known])


def test_the_learned_robust_loss_is_one_pass():
    loss, x = RobustLoss(learnable=True, alpha=0.8, scale=1.3).double(), X.double().requires_grad_()
    (only,) = losskit.explain(loss, x, T.double())
    assert only.operator == "native"

    def of(x, *shifts):
        return loss(x, T.double(), weight=W.double(), mask=MASK)

    assert torch.autograd.gradcheck(of, (x, loss.shape_shift, loss.scale_shift))
    assert torch.autograd.gradgradcheck(of, (x, loss.shape_shift, loss.scale_shift))
