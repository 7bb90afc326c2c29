"""Every operation of a tape, as C evaluates it in float32 and float64, at each instruction level, against PyTorch."""

import itertools
import math

import pytest
import torch

import losskit
from losskit.ops import native
from losskit.ops.constants import OPERATIONS
from losskit.ops.formula import Program
from losskit.ops.tape import Operation
from own_formulas import compared, in_c

ONE = {
    "negate": torch.neg, "copy": lambda a: a, "absolute": torch.abs, "sign": torch.sign, "exp": torch.exp,
    "expm1": torch.expm1, "log": torch.log, "log1p": torch.log1p, "sqrt": torch.sqrt, "tanh": torch.tanh,
    "sigmoid": torch.sigmoid, "cosh": torch.cosh, "sinh": torch.sinh, "floor": torch.floor, "round": torch.round,
    "not": lambda a: a == 0,
}  # fmt: skip
TWO = {
    "add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "divide": torch.true_divide, "power": torch.pow,
    "minimum": torch.minimum, "maximum": torch.maximum, "less": torch.lt, "less_equal": torch.le, "equal": torch.eq,
    "not_equal": torch.ne, "and": lambda a, b: (a != 0) & (b != 0), "or": lambda a, b: (a != 0) | (b != 0),
}  # fmt: skip
THREE = {"where": lambda a, b, c: torch.where(a != 0, b, c), "multiply_add": lambda a, b, c: torch.addcmul(c, a, b)}
ULPS = {"power": 130}  # in float32; 4 for all others
LINE = [0.0, -0.0, 1e-30, -1e-30, 1e-3, -0.25, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 3.0, 7.0, -7.0, 30.0, -30.0]
LINE += [math.inf, -math.inf, math.nan]
PAIRS = torch.tensor(list(itertools.product(LINE, LINE))).unbind(1)
LEVELS = (0, 1, 2)  # plain, AVX2, AVX-512; where one is missing, the next lower one runs


@pytest.fixture(params=LEVELS)
def level(request):
    native.library().losskit_level(request.param)
    yield request.param
    native.library().losskit_level(-1)


def test_every_operation_is_tested():
    assert {*ONE, *TWO, *THREE, "constant"} == set(OPERATIONS)


def evaluated(name, a, b):
    """The operation at each point, as the derivative of a program, with a third operand of 0.75."""
    operands = {**dict.fromkeys(ONE, (0,)), **dict.fromkeys(TWO, (0, 1)), **dict.fromkeys(THREE, (0, 1, 3))}[name]
    operations = (Operation("copy", 0), Operation("constant", constant=0.75), Operation(name, *operands))
    return in_c(Program(2, operations, 2, 4), a, b)[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", [*ONE, *TWO, *THREE])
def test_an_operation_is_that_of_pytorch(name, dtype, level):
    a, b = (axis.to(dtype) for axis in PAIRS)
    given = {**dict.fromkeys(ONE, (a,)), **dict.fromkeys(TWO, (a, b))}.get(name, (a, b, torch.full_like(a, 0.75)))
    of_torch = {**ONE, **TWO, **THREE}[name]
    expected = of_torch(*given).to(dtype)
    found = evaluated(name, a, b)
    ulps = ULPS.get(name, 4)
    rtol, atol = (ulps * 2.0**-23, ulps * 2.0**-149) if dtype == torch.float32 else (1e-15, 1e-320)
    if name == "multiply_add":  # one rounding less
        rtol, atol = 1e-6, 1e-7
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol, equal_nan=True)


def test_constants_have_their_numbers(level):
    x = torch.linspace(-1, 1, 300)
    for dtype, number in itertools.product((torch.float32, torch.float64), (0.1, -3.0, 1e30, math.inf)):
        program = Program(
            2, (Operation("copy", 0), Operation("constant", constant=number), Operation("add", 0, 3)), 2, 4
        )
        found = in_c(program, x.to(dtype), x.to(dtype))[1]
        torch.testing.assert_close(found, x.to(dtype) + number, rtol=0, atol=0)


def test_a_wrong_operation_is_seen(level, monkeypatch):
    monkeypatch.setitem(ONE, "expm1", lambda a: torch.exp(a) - 1)
    with pytest.raises(AssertionError, match="not close"):
        test_an_operation_is_that_of_pytorch("expm1", torch.float32, level)


@losskit.classification_loss
def odd(log_p, power: float = 1.5):
    return torch.tanh(-log_p) - (1 - torch.exp(log_p)) ** power * log_p


def labels_of(kind):
    draw = torch.Generator().manual_seed(1)
    x = 3 * torch.randn(2, 4, 9, generator=draw)
    return {
        "sigmoid, hard": (x[:, :1], torch.rand(2, 9, generator=draw) > 0.5),
        "sigmoid, soft": (x[:, :1], torch.rand(2, 1, 9, generator=draw)),
        "softmax, hard": (x, torch.randint(0, 4, (2, 9), generator=draw)),
        "softmax, soft": (x, x.flip(0).softmax(1)),
    }[kind]


@pytest.mark.parametrize("kind", ["sigmoid, hard", "sigmoid, soft", "softmax, hard", "softmax, soft"])
def test_terms_of_labels(kind, level):
    x, target = labels_of(kind)
    options = {"mode": "multiclass"} if kind == "softmax, soft" else {}
    draw = torch.Generator().manual_seed(2)
    mask, weight = torch.rand(2, 9, generator=draw) > 0.3, torch.rand(2, 9, generator=draw)
    for more in (
        {},
        {"label_smoothing": 0.2},
        {"class_weight": [1.0, 2.0, 0.5, 3.0][: x.shape[1]]},
        {"reduction": "sum"},
    ):
        for arguments in ({}, {"mask": mask, "weight": weight}):
            found, known, tape = compared(odd.Module(**options, **more), (x, target), **arguments)
            assert tape
            for a, b in zip(found, known, strict=True):
                torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("kind", ["sigmoid, hard", "softmax, hard"])
def test_labels_at_infinite_logits(kind, level):
    """A confident right answer has a loss of 0; a class at -inf that is not the true one is masked out."""
    x, target = labels_of(kind)
    x = x.clone()
    if kind == "sigmoid, hard":
        x[:, 0, :4] = torch.where(target[:, :4], torch.inf, -torch.inf)
    else:
        x[:, 3, :4] = torch.where(target[:, :4] == 3, x[:, 3, :4], -torch.inf)
    found, known, tape = compared(odd.Module(), (x, target))
    assert tape
    assert found[0].isfinite()
    assert found[1].isfinite().all()
    for a, b in zip(found, known, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-6)


@losskit.regression_loss
def product(input, target):
    return input * target  # whose derivative is the target


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_gradient_is_rounded_to_half_precision_as_by_pytorch(dtype, level):
    bits = torch.randint(-(2**31), 2**31, (5000,), generator=torch.Generator().manual_seed(0)).to(torch.int32)
    numbers = bits.view(torch.float32)
    edges = [math.inf, -math.inf, 0.0, 1e-40, 6e-8, 65504.0, 65519.9, 65520.0, 1.00390625, 1.01171875]
    target = torch.cat([torch.tensor(edges), numbers[numbers.isfinite()]])  # vectors before the rest
    input = torch.zeros(len(target), dtype=dtype, requires_grad=True)
    product(input, target, normalizer=1.0).backward()
    assert torch.equal(input.grad, target.to(dtype))
