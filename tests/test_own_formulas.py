"""Formulas of one's own are evaluated inside the pass, and give what plain PyTorch gives, whatever changes."""

import copy
import functools
import math
import pickle
import subprocess
import sys
import threading

import pytest
import torch
import torch.nn.functional as F

import fuzz_formulas
import losskit
from losskit import RegressionLoss, option
from losskit.ops import formula, interpret, program_cache, writers
from own_formulas import compared, reason

X, T = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)).unbind(0)[:2]


@losskit.regression_loss
def wing(input, target, omega: float = 2.0, epsilon: float = 0.5):
    size = (input - target).abs()
    linear = size - omega + omega * math.log(1 + omega / epsilon)
    return torch.where(size < omega, omega * torch.log1p(size / epsilon), linear)


@losskit.regression_loss
def log_cosh(input, target):
    d = input - target
    return d + F.softplus(-2.0 * d) - 0.6931471805599453


@losskit.regression_loss
def barron(input, target, alpha: float = 1.0, c: float = 2.0):
    x = (input - target) / c
    if alpha == 2:
        return 0.5 * x**2
    beta = abs(alpha - 2)
    return beta / alpha * ((x**2 / beta + 1) ** (alpha / 2) - 1)


@losskit.regression_loss
def in_place(input, target):
    d = input - target
    d.abs_()
    d += 1
    d.clamp_(min=1.25)
    return d.sqrt_()


@losskit.regression_loss
def straight_through(input, target):
    hard = (input > 0).float()
    return (hard - input.detach() + input - target) ** 2


@losskit.regression_loss
def loop(input, target, terms: int = 3, kind: str = "sum"):
    d = input - target
    out = torch.zeros_like(d)
    for k in range(terms):
        out = out + d.pow(k + 1) / (k + 1)
    return {"sum": out, "square": out**2}[kind]


@losskit.regression_loss
def focal_of_logits(input, target, gamma: float = 1.5):
    truth = (target > 0).to(input.dtype)
    cross_entropy = F.binary_cross_entropy_with_logits(input, truth, reduction="none")
    return (1 - torch.exp(-cross_entropy)) ** gamma * cross_entropy


class Reversed(torch.autograd.Function):
    scale = 2.0

    @staticmethod
    def forward(ctx, x, power):
        ctx.power = power
        ctx.save_for_backward(x)
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * -Reversed.scale * ctx.power * ctx.saved_tensors[0].abs(), None


@losskit.regression_loss
def of_custom_function(input, target):
    return (Reversed.apply(input, 3) - target) ** 2


@losskit.regression_loss
def its_own_slope(input, target):
    return (input - target).exp()


@losskit.regression_loss
def minus_its_own_slope(input, target):
    return (target - input).exp()


SERVED = {
    "its own slope": its_own_slope.Module(), "minus its own slope": minus_its_own_slope.Module(),
    "wing": wing.Module(), "log cosh": log_cosh.Module(), "Barron": barron.Module(),
    "Barron, 2": barron.Module(alpha=2.0),
    "in place": in_place.Module(), "straight through": straight_through.Module(), "loop": loop.Module(),
    "loop of options": loop.Module(terms=2, kind="square"), "focal": focal_of_logits.Module(),
    "custom function": of_custom_function.Module(),
}  # fmt: skip


def close(found, known, dtype=torch.float32):
    exact = {"rtol": 1e-11, "atol": 1e-12} if dtype == torch.float64 else {"rtol": 1e-5, "atol": 1e-6}
    for a, b in zip(found, known, strict=True):
        torch.testing.assert_close(a, b, equal_nan=True, **exact)


def same(loss, tensors=(X, T), *, tape=True, **arguments):
    found, known, is_tape = compared(loss, tensors, **arguments)
    close(found, known, tensors[0].dtype)
    assert is_tape is tape


@pytest.mark.parametrize("name", SERVED)
def test_served_formulas_equal_plain_pytorch(name):
    for dtype in (torch.float32, torch.float64):
        x, t = X.to(dtype), T.to(dtype)
        for arguments in ({}, {"weight": t.abs()}, {"mask": t > -0.5}, {"weight": t.abs(), "mask": t > -0.5}):
            same(SERVED[name], (x, t), **arguments)


def test_a_tape_of_N_operations_is_what_explain_says():
    @losskit.regression_loss
    def squared(input, target):
        return (input - target) ** 2  # the difference, its square, and twice the difference

    (only,) = losskit.explain(squared.Module(), X, T)
    assert only.operations == (3,)
    assert "tape of 3 operations, in the pass" in str(only)
    labels = torch.zeros(1, 5, dtype=torch.int64)
    assert "tape of" in str(losskit.explain(own_dice.Module(), X.view(1, 4, 5), labels))


LAYOUTS = {
    "1-D": lambda t: t.reshape(-1)[:7],
    "4-D": lambda t: t.reshape(2, 2, 5, 1).repeat(1, 1, 9, 3),
    "5-D": lambda t: t.reshape(2, 2, 5, 1, 1).repeat(1, 1, 1, 3, 2),
    "channels last": lambda t: t.reshape(2, 2, 5, 1).repeat(1, 1, 1, 3).to(memory_format=torch.channels_last),
    "transposed": lambda t: t.t(),
    "every other": lambda t: t.repeat(1, 60)[:, ::2],
    "expanded": lambda t: t[:1].expand(3, 5),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    for dtype in (torch.float32, torch.float64):
        tensors = [LAYOUTS[layout](t.to(dtype)) for t in (X, T)]
        same(log_cosh.Module(), tensors, mask=tensors[1] > -0.5)
        same(log_cosh.Module(), tensors)


def test_half_precision_a_number_and_nothing():
    for dtype in (torch.float16, torch.bfloat16):
        found, known, tape = compared(log_cosh.Module(), (X.to(dtype), T.to(dtype)))
        assert tape
        torch.testing.assert_close(found, known)
    close(*compared(log_cosh.Module(), (X[0, 0], T[0, 0]))[:2])
    assert log_cosh.Module()(X[:0], T[:0]) == 0


def test_a_missing_target_under_a_mask_reaches_nothing():
    target = T.clone()
    target[1] = torch.nan
    for dtype in (torch.float32, torch.float64):
        for loss in SERVED.values():
            found, known, tape = compared(loss, (X.to(dtype), target.to(dtype)), mask=~target.isnan())
            close(found, known, dtype)
            assert tape
            assert found[0].isfinite()
            assert found[1].isfinite().all()


def test_other_kinds_of_calls_take_the_formula_itself():
    loss = log_cosh.Module()
    x = X.double().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda z: loss(z, T.double()), x)
    torch.testing.assert_close(
        torch.func.vmap(loss)(X, T), torch.stack([loss(x, t) for x, t in zip(X, T, strict=True)])
    )
    _, tangent = torch.func.jvp(lambda z: loss(z, T), (X,), (torch.ones_like(X),))
    torch.testing.assert_close(tangent, torch.func.grad(lambda z: loss(z, T))(X).sum())


def test_no_grad_inference_and_autocast():
    for around in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16)):
        loss = type("fresh", (log_cosh.Module,), {})()
        with around:
            found = loss(X, T)
        torch.testing.assert_close(found, log_cosh.Module()(X, T))
        same(loss)


def test_copies_and_pickles():
    loss = barron.Module(alpha=0.5)
    loss(X, T)
    for twin in (copy.copy(loss), copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert twin(X, T) == loss(X, T)
        twin.alpha = 1.5
        same(twin)
        assert twin(X, T) != loss(X, T)


def test_threads_that_call_at_once():
    class Fresh(log_cosh.Module):
        pass

    loss, found = Fresh(), []
    threads = [threading.Thread(target=lambda: found.append(loss(X, T).item())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [log_cosh.Module()(X, T).item()] * 8


def test_a_recording_imports_neither_dynamo_nor_sympy():
    code = (
        "import sys, torch, losskit\nbefore = set(sys.modules)\n"
        "f = losskit.regression_loss(lambda input, target: (input - target).exp()) \n"
        "f(torch.randn(3, requires_grad=True), torch.randn(3)).backward()\n"
        "print(sorted(name for name in set(sys.modules) - before if name.split('.')[0] in ('torch', 'sympy')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# Options


def test_a_schedule_of_options_records_once(monkeypatch):
    calls = []
    record = formula.record
    monkeypatch.setattr(formula, "record", lambda *given: calls.append(1) or record(*given))

    @losskit.regression_loss
    def scheduled(input, target, q: float = 0.5):
        return torch.maximum(q * (target - input), (q - 1) * (target - input))

    loss = scheduled.Module()
    for step in range(1, 20):
        loss.q = step / 20
        same(loss)
    assert len(calls) == 1


def test_what_changes_in_every_call_is_not_recorded_in_every_call(monkeypatch):
    calls = []
    record = formula.record
    monkeypatch.setattr(formula, "record", lambda *given: calls.append(1) or record(*given))

    @losskit.regression_loss
    def stepped(input, target, k: int = 1):
        return k * (target - input).abs()

    loss = stepped.Module()
    for k in range(program_cache._MOST_GRAPHS + 20):
        loss.k = k
        same(loss, tape=k < program_cache._MOST_GRAPHS)
    assert len(calls) == program_cache._MOST_GRAPHS
    assert "more than 64 different values" in reason(loss, X, T)


def test_a_refusal_is_found_once(monkeypatch):
    calls = []
    record = formula.record
    monkeypatch.setattr(formula, "record", lambda *given: calls.append(1) or record(*given))

    @losskit.regression_loss
    def noisy(input, target):
        return (input - target).abs() + 0 * torch.rand_like(input)

    loss = noisy.Module()
    for length in range(2, 12):
        loss(X[:, :length], T[:, :length])
        loss(X[:, :length], T[:, :length])
    assert len(calls) == 1


def test_a_zero_has_its_sign():
    @losskit.regression_loss
    def over(input, target, zero: float = 0.0):
        return (input - target).abs() / zero

    loss = over.Module()
    for zero in (0.0, -0.0, 0.0):
        loss.zero = zero
        value = loss(X, T)
        assert value == (torch.inf if str(zero) == "0.0" else -torch.inf)


# What the code reads from elsewhere

SCALE, ACTIVATION, POWER = 2.0, torch.tanh, functools.partial(torch.pow, exponent=2.0)


def helper(x):
    return x * SCALE


helper.bias = 1.0


@losskit.regression_loss
def of_globals(input, target):
    return POWER(ACTIVATION(helper(input - target))) + helper.bias + (input - target).abs()


@pytest.mark.parametrize(
    ("name", "value"),
    [("SCALE", 3.0), ("ACTIVATION", torch.sigmoid), ("POWER", functools.partial(torch.pow, exponent=3.0)),
     ("helper", lambda x: x.abs() * 2), ("helper.bias", 5.0)],
)  # fmt: skip
def test_globals_that_change_are_seen(name, value, monkeypatch):
    if name == "helper":
        value.bias = 2.0
    before = of_globals(X, T)
    same(of_globals.Module())
    monkeypatch.setattr(f"{__name__}.{name}", value)
    same(of_globals.Module())
    assert of_globals(X, T) != before
    monkeypatch.undo()
    assert of_globals(X, T) == before


def test_a_variable_of_the_function_around_is_seen():
    scale = 2.0

    @losskit.regression_loss
    def closed(input, target):
        return scale * (input - target).abs()

    loss = closed.Module()
    same(loss)
    scale = 5.0
    same(loss)


def test_code_that_is_replaced_in_its_function_is_seen():
    before = of_globals(X, T)
    code, helper.__code__ = helper.__code__, (lambda x: x * 7).__code__
    try:
        assert of_globals(X, T) != before
        same(of_globals.Module())
    finally:
        helper.__code__ = code


class Written(RegressionLoss):
    a: float = option(default=2.0, doc="a number")
    factor = 2.0

    def __post_init__(self):
        super().__post_init__()
        self.bias = 0.5

    @property
    def doubled(self):
        return 2 * self.a

    @staticmethod
    def absolute(x):
        return x.abs()

    @classmethod
    def scaled(cls, x):
        return x * cls.factor

    def curve(self, x):
        return self.scaled(self.sized(x)) * (2.0 if self.training else 1.0)

    def sized(self, x):
        return self.absolute(x)

    def per_element(self, input, target):
        return self.curve(input - target) * self.doubled + self.bias


class Inherited(Written):
    def per_element(self, input, target):
        return super().per_element(input, target) * SCALE


@pytest.mark.parametrize("cls", [Written, Inherited])
def test_attributes_methods_and_properties_that_change_are_seen(cls, monkeypatch):
    loss = cls()
    same(loss)
    seen = [loss(X, T)]
    for place, name, value in (
        (Written, "factor", 3.0), (Written, "doubled", property(lambda self: 5 * self.a)),
        (Written, "curve", lambda self, x: x**2), (loss, "bias", 7.0), (loss, "factor", 4.0),
        (loss, "sized", lambda x: x**4), (loss, "a", 3.0),
        (cls, "per_element", lambda self, x, t: (x - t).abs().sqrt()),
    ):  # fmt: skip
        monkeypatch.setattr(place, name, value, raising=False)
        same(loss)
    monkeypatch.undo()
    loss = cls()
    loss.eval()
    same(loss)
    assert loss(X, T) != seen[0]


def test_a_subclass_of_a_made_loss_has_its_own_formula():
    class Scaled(wing.Module):
        def per_element(self, input, target):
            return super().per_element(input, target) * SCALE

    same(Scaled())
    torch.testing.assert_close(Scaled()(X, T), SCALE * wing(X, T))


def test_the_class_of_a_custom_function_is_seen(monkeypatch):
    loss = of_custom_function.Module()
    same(loss)
    monkeypatch.setattr(Reversed, "scale", 5.0)
    same(loss)
    monkeypatch.setattr(Reversed, "backward", staticmethod(lambda ctx, grad: (grad * 0.5, None)))
    same(loss)


def test_the_default_dtype_is_seen():
    @losskit.regression_loss
    def tenth(input, target):
        return (input - target).abs() * torch.tensor(0.1)

    loss = tenth.Module()
    same(loss, (X.double(), T.double()))
    torch.set_default_dtype(torch.float64)
    try:
        same(loss, (X.double(), T.double()))
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_denominator_of_ones_own_is_used():
    class Halved(RegressionLoss):
        def per_element(self, input, target):
            return (input - target).abs()

        def size(self, share):
            return 2 * super().size(share)

    same(Halved(), tape=False)


@losskit.region_loss
def own_dice(total, smooth: float = 1.0):
    return 1 - (2 * total.tp + smooth) / (total.pred + total.target + smooth)


# The tests above can fail, and the check of each formula too.


@pytest.mark.parametrize("place", ["writer", "interpret"])
def test_a_wrong_operation_is_found_and_the_formula_runs_as_plain_pytorch(place, monkeypatch):
    if place == "writer":
        monkeypatch.setitem(writers.WRITERS, "abs", lambda r, a: r.write("copy", a))
    else:
        monkeypatch.setitem(interpret._TORCH, "absolute", lambda a: a)

    @losskit.regression_loss
    def planted(input, target):
        return (input - target).abs().sqrt()

    same(planted.Module(), tape=False)
    assert "is not what its recorded operations give" in reason(planted.Module(), X, T)


def test_some_random_formulas_are_what_pytorch_computes():
    found = [fuzz_formulas.wrong(seed) for seed in range(300)]
    assert [what for what in found if what and not what.startswith("refused")] == []
    assert sum(not what for what in found) >= 290


def test_a_wrong_sum_is_found_by_the_random_formulas(monkeypatch):
    evaluated = fuzz_formulas.in_c
    monkeypatch.setattr(fuzz_formulas, "in_c", lambda *given: (evaluated(*given)[0] + 1e-4, evaluated(*given)[1]))
    assert any(fuzz_formulas.wrong(seed).startswith("value") for seed in range(5))
    monkeypatch.setattr(fuzz_formulas, "in_c", lambda *given: (evaluated(*given)[0], evaluated(*given)[1] * (1 + 1e-6)))
    assert any(fuzz_formulas.wrong(seed).startswith("slope") for seed in range(5))
