"""Losses on a device: in Triton's interpreter, where the CPU acts as one, or with launches that are counted."""

import ctypes
import math
import re
import warnings
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import cases
import losskit
from inputs import LABELS, Shape
from losskit.compose import Scheduled, linear
from losskit.core import contract, region, sums
from losskit.core.algebra import WeightedSum
from losskit.core.labels import ClassificationLoss
from losskit.core.region import RegionLoss
from losskit.ops import first_use, native, operators, passes, reference, values
from losskit.ops.interpret import registers_of
from losskit.ops.tape import Operation, Tape
from losskit.ops.triton import launch as launching
from losskit.ops.triton import plan, prepared, source
from losskit.ops.triton.kernels import printed
from triton_cases import loss_of

FUSED = cases.where(lambda c: c.kind in LABELS and issubclass(c.loss, RegionLoss | ClassificationLoss | WeightedSum))
CATALOGUE = list({case.entry.name: case for case in FUSED}.values())
READ_BACK = ("_local_scalar_dense", "nonzero", "equal", "is_nonzero")  # calls that wait for a device


class Operators(TorchDispatchMode):
    """The names of the operators that run meanwhile."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen.append(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


@contextmanager
def as_on_a_device():
    """Forbids reading numbers back, delays reports of bad labels, and yields the launched kernels."""
    from losskit.ops.triton.launch import Work

    launches, launch = [], Work._launch

    def counting(work, kernel, *arguments, **options):
        launches.append(kernel.__name__)
        return launch(work, kernel, *arguments, **options)

    with ExitStack() as stack:
        for module in (contract, sums, region, reference, values, passes):
            stack.enter_context(patch.object(module, "can_branch", lambda _: False))
        stack.enter_context(patch.object(Work, "_launch", counting))
        stack.enter_context(patch.object(values._Pending, "ready", lambda _: False))
        late = patch.object(passes, "Settings", lambda *settings: operators.Settings(*settings[:-1], True))
        stack.enter_context(late)
        yield launches
    values._pending.clear()


def waiting_operators(device, name):
    """Operators of a loss with its gradient that read a number back, and the launches."""
    loss, x, t = loss_of(name, {}, device)
    with as_on_a_device() as launches, Operators() as operators_:
        loss(x.requires_grad_(), t).backward()
    return [each for each in operators_.seen if each in READ_BACK], launches


@contextmanager
def planned_here():
    """Triton's interpreter acts as the device, and only its kernels are available; every comparison is real."""
    first_use.forget()
    with patch.object(native, "AVAILABLE", False), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns about masked lanes
        yield


def _at(address, like):
    """The tensor at an address."""
    if not isinstance(like, torch.Tensor):
        return tuple(map(_at, address, like)) if isinstance(like, tuple) else address
    extent = 1 + sum((size - 1) * stride for size, stride in zip(like.shape, like.stride(), strict=True))
    memory = (ctypes.c_char * (extent * like.element_size())).from_address(address)
    return torch.frombuffer(memory, dtype=like.dtype).as_strided(like.shape, like.stride())


@contextmanager
def prepared_here():
    """As `planned_here`, with a stand-in for compiled kernels, which take addresses; yields the prepared launches."""
    launches, by_triton = [], prepared.launch

    def launch(kernel, programs, arguments, options, *, only_compiled=False):
        def run(grid, *others):
            assert (grid, *others[:2]) == (programs, 1, 1)
            launches.append(kernel.__name__)
            given = list(map(_at, others[8:][: len(arguments)], arguments))
            constants = {name: options[name] for name in kernel.arg_names[len(arguments) :]}
            assert tuple(constants.values()) == others[8:][len(arguments) :]
            by_triton(kernel, grid, given, options)

        by_triton(kernel, programs, arguments, options, only_compiled=only_compiled)
        return SimpleNamespace(run=run, function=1, packed_metadata=None)

    with planned_here(), patch.object(prepared, "launch", launch), patch.object(prepared, "stream_of", lambda _: 0):
        yield launches


def prepared_calls(_, name):
    """A loss by launches that were prepared: how many, and the errors relative to float64, of other numbers."""
    loss, tensors, arguments = VARIANTS[name]()
    arguments.pop("tile", None)
    with prepared_here() as launches:
        step(loss, tensors, arguments)
        launches.clear()
        x = tensors[0] * 1.5
        value, gradient = step(loss, (x, *tensors[1:]), arguments)
        exact, slope = step(loss, (x.double(), *tensors[1:]), arguments)
    return launches, *differences(value, gradient, exact, slope)


def unaligned(_):
    """The same for an input whose address is no multiple of 16."""
    loss, (x, t) = losskit.DiceCELoss(), labels()
    with prepared_here() as launches:
        step(loss, (x, t), {})
        launches.clear()
        memory = torch.empty(x.numel() + 1)
        apart = memory[1:].view(x.shape).copy_(x)
        apart.requires_grad_()
        value = loss(apart, t)
        (gradient,) = torch.autograd.grad(value, apart)
    exact, slope = step(loss, (x.double(), t), {})
    return launches, (value - exact).abs().item(), (3 * gradient - slope).abs().max().item()


def step(loss, tensors, arguments):
    x = tensors[0].detach().clone().requires_grad_()
    value = loss(x, *tensors[1:], **arguments)
    (gradient,) = torch.autograd.grad(3 * value, x)
    return value.detach(), gradient


def planned_as(loss):
    """The operator of the only layout of a loss, and the reason if it has no plan."""
    return [(type(plan).__name__, plan.reason) for plan in loss.plans.values()]


def beside_the_definition(loss, tensors, arguments=None):
    """The errors of value and gradient relative to float64, and the operator."""
    arguments = arguments or {}
    with planned_here():
        value, gradient = step(loss, tensors, arguments)
        again, gradient_again = step(loss, tensors, arguments)
        served = planned_as(loss)
    exact, slope = step(loss, (tensors[0].double(), *tensors[1:]), arguments)
    assert torch.equal(value, again)
    assert torch.equal(gradient, gradient_again)
    return *differences(value, gradient, exact, slope), served


def differences(value, gradient, exact, slope):
    """The errors of value and gradient relative to float64, beyond the rounding of a half precision."""
    stored = torch.finfo(gradient.dtype).eps if gradient.dtype != torch.float32 else 0.0
    beyond = ((gradient.double() - slope).abs() - stored * slope.abs()).max() / slope.abs().max()
    return abs((value - exact) / (1 + exact.abs())).item(), beyond.item()


def of_catalogue(_, number):
    """One of the catalogue's losses that fused operators compute."""
    case = CATALOGUE[number]
    given = case.given(Shape(2, 3, (4, 5)), 1, torch.float32)
    generator = torch.Generator().manual_seed(7)
    arguments = {
        "mask": torch.rand(given.positions, generator=generator) < 0.8,
        "weight": torch.rand(given.positions, generator=generator),
    }
    return beside_the_definition(case(), given.tensors, arguments)


def labels(shape=(3, 3, 5, 6), *, multilabel=False, dtype=torch.int64):
    """Logits and labels; the first class is absent from the last sample."""
    generator = torch.Generator().manual_seed(11)
    x = 2 * torch.randn(shape, generator=generator)
    if multilabel:
        t = torch.rand(shape, generator=generator) < 0.4
        t[-1, 0] = False
        return x, t if dtype == torch.bool else t.to(dtype)
    t = torch.randint(0, shape[1], (shape[0], *shape[2:]), generator=generator)
    t[-1] = t[-1].clamp_min(1) if shape[1] > 1 else t[-1]
    return x, t.to(dtype)


WEIGHTS = [1.0, 2.5, 0.3]
CE, Dice = losskit.CrossEntropyLoss, losskit.DiceLoss


def of_several(dtype=torch.float32):
    return labels(multilabel=True, dtype=dtype)


def changed(change):
    x, t = labels()
    return change(x), t


VARIANTS = {  # a loss, its tensors, and the arguments of the call
    "class weight and smoothing": lambda: (CE(class_weight=WEIGHTS, label_smoothing=0.1), labels(), {}),
    "truth weight": lambda: (losskit.BCEWithLogitsLoss(pos_weight=WEIGHTS), of_several(), {}),
    "alpha": lambda: (losskit.FocalLoss(alpha=0.3, gamma=1.5, mode="multilabel"), of_several(torch.bool), {}),
    "sum": lambda: (CE(reduction="sum"), labels(), {}),
    "normalizer": lambda: (CE(), labels(), {"normalizer": 17.1}),
    "sum of regions": lambda: (Dice(reduction="sum", class_weight=WEIGHTS), labels(), {}),
    "skipped": lambda: (Dice(absent="skip"), labels(), {}),
    "penalized": lambda: (Dice(absent="penalize"), labels(), {}),
    "without background": lambda: (losskit.TverskyLoss(include_background=False, alpha=0.7, beta=0.3), labels(), {}),
    "over the batch": lambda: (Dice(pool="batch", smooth=0.7), labels(), {}),
    "both poolings": lambda: (Dice(pool="batch") + 0.3 * losskit.JaccardLoss(absent="skip"), labels(), {}),
    "composite": lambda: (0.7 * Dice() + 0.1 * CE() + losskit.FocalLoss(), labels(), {}),
    "powers": lambda: (losskit.FocalTverskyLoss(gamma=1.37) + losskit.LogCoshDiceLoss(), labels(), {}),
    "rows": lambda: (CE(), labels((40, 5)), {}),
    "many classes": lambda: (CE(), labels((2, 70, 40)), {"tile": 64}),
    "many sums": lambda: (losskit.DiceCELoss(), labels((2, 5, 9, 40)), {"at once": 8}),
    "larger programs": lambda: (losskit.DiceCELoss(), labels((2, 5, 32, 64)), {"most": 120}),
    "half": lambda: (losskit.DiceCELoss(), changed(lambda x: x.bfloat16()), {}),
    "channels last": lambda: (losskit.DiceCELoss(), changed(lambda x: x.to(memory_format=torch.channels_last)), {}),
    "logit bias": lambda: (CE(prior=[0.2, 0.3, 0.5]), labels(), {}),
}  # fmt: skip


def of_variant(_, name):
    """A loss with options, compared with the definition."""
    return made_by(VARIANTS[name])


def made_by(make):
    loss, tensors, arguments = make()
    tile, at_once = arguments.pop("tile", launching.LARGEST_TILE), arguments.pop("at once", plan.MOST_AT_ONCE)
    most = arguments.pop("most", launching.MOST_AT_ONCE)
    with (
        patch.object(launching, "LARGEST_TILE", tile),
        patch.object(launching, "MOST_AT_ONCE", most),
        patch.object(plan, "MOST_AT_ONCE", at_once),
    ):
        return beside_the_definition(loss, tensors, arguments)


def parts_of(_):
    """The value of a sum and of its parts, of a plan and of the definition."""
    x, t = labels()
    loss = losskit.DiceLoss() + 0.5 * losskit.CrossEntropyLoss()
    with planned_here():
        value, parts = loss.parts(x.requires_grad_(), t)
        served = planned_as(loss)
        value.backward()
    exact, each = loss.parts(x.detach().double(), t)
    gradient = step(loss, (x.detach().double(), t), {})[1]
    found = [(value, exact), *((parts[name].raw, each[name].raw) for name in parts)]
    return served, [(a - b).abs().item() for a, b in found], (3 * x.grad - gradient).abs().max().item()


def second_derivative(_):
    """A product of the second derivative, of a plan and of the definition."""
    loss, (x, t) = losskit.DiceCELoss(), labels()
    found = []
    with planned_here():
        for dtype in (torch.float32, torch.float64):
            own = x.to(dtype).requires_grad_()
            (first,) = torch.autograd.grad(loss(own, t), own, create_graph=True)
            found.append(torch.autograd.grad((first * first).sum(), own)[0])
    return ((found[0] - found[1]).abs().max() / found[1].abs().max()).item()


def scheduled(_):
    """Losses while an option changes: their errors, and how many kernels they compiled for the last launch."""
    x, t = labels()
    before = printed.compiled.cache_info().misses
    errors = []
    factor = Scheduled(linear(1.0, 0.13, steps=4))
    loss = losskit.DiceLoss() + factor * losskit.CrossEntropyLoss()
    dice = losskit.DiceLoss(smooth=0.31)
    with planned_here():
        for k in range(4):
            dice.smooth = 0.31 + k
            for each in (loss, dice):
                value = step(each, (x, t), {})[0]
                errors.append((value - step(each, (x.double(), t), {})[0]).abs().item())
            factor.step()
    return errors, printed.compiled.cache_info().misses - before


def bad_labels(_):
    """The effect of a bad label and of an invalid weight on the loss of a plan on a device, and on the next call."""
    loss, (x, t) = losskit.CrossEntropyLoss(), labels()
    bad = t.clone()
    bad[1, 2, 3] = 7
    said = []
    with planned_here():
        loss(x, t)
        loss.plans.clear()
        with patch.object(plan, "IMMEDIATE", ()):
            for arguments in ({"target": bad}, {"target": t, "weight": -torch.ones(3, 5, 6)}):
                value = loss(x, **arguments)
                try:
                    losskit.flush_errors()
                except ValueError as error:
                    said.append((bool(value.isnan()), str(error)))
            value = loss(x, t)
            losskit.flush_errors()
        return said, bool(value.isfinite())


def calls_until_an_error(_):
    """The number of calls after that with a bad label, until one of them raises; and the loss of that with it."""
    loss, (x, t) = losskit.CrossEntropyLoss(), labels()
    bad = t.clone()
    bad[0, 0, 0] = 5
    values.flush_errors()
    with planned_here(), patch.object(plan, "IMMEDIATE", ()):
        loss(x, t)  # compared with plain PyTorch
        value = loss(x, bad)
        for calls in range(1, 100):
            try:
                loss(x, t)
            except ValueError as error:
                return calls, value.item(), str(error)
    return math.inf, value.item(), ""


LINE = (-math.inf, -30.0, -2.5, -1.0, -0.3, -1e-9, -0.0, 0.0, 1e-12, 0.4, 1.0, 2.0, 3.7, 25.0, math.inf, math.nan)


def operations_beside_pytorch(_, names, dtype="float64"):
    """The names of operations whose value or derivative differs from PyTorch's at some points."""
    wrong = []
    rounding, least = (1e-13, 1e-300) if dtype == "float64" else (1e-5, 1e-37)
    for name in names:
        unary = "b" not in re.findall(r"\{(\w)\}", source.VALUES[name])
        tape = Tape(3, (Operation(name, 0, 1, 2),))
        formula = source.Formula(tape, ["a", "b", "c"], "r", source.Numbers(), dtype=dtype)
        lines, by = formula.derivative("g")
        text = "\n".join([
            "@triton.jit", "def evaluate(points, found, SIZE: tl.constexpr):", "    at = tl.arange(0, SIZE)",
            *(f"    {x} = tl.load(points + {k} * SIZE + at)" for k, x in enumerate("abc")),
            f"    g = tl.full((SIZE,), 0.75, tl.{dtype})", *source.indented([*formula.lines, *lines], 1),
            f"    tl.store(found + at, {formula.value})",
            *(f"    tl.store(found + {k + 1} * SIZE + at, {each})" for k, each in enumerate(by) if each), "",
        ])  # fmt: skip
        line = torch.tensor(LINE, dtype=getattr(torch, dtype))
        points = torch.stack([p.reshape(-1) for p in torch.meshgrid(line, line, indexing="ij")])
        points = torch.cat([points, points[1:].roll(5, 1)])
        if name == "power":  # its exponent is a constant
            points[1] = points[1].nan_to_num(2.0, 0.5, -1.5)
        found = torch.zeros_like(points[:1].expand(4, -1))
        printed.compiled("evaluate", text)[(1,)](points, found, SIZE=points.shape[1])
        inputs = [p.double().requires_grad_() for p in points]
        value = registers_of(tape.operations, inputs)[-1]
        slopes = (None,) * 3
        if value.requires_grad:
            slopes = torch.autograd.grad(value, inputs, torch.full_like(value, 0.75), allow_unused=True)
        # Terms are float32, and their derivatives are operations too.
        for k, exact in enumerate((value.detach(), *slopes)[: None if dtype == "float64" else 1]):
            exact = torch.zeros_like(found[k]) if exact is None else exact
            exact = exact.to(points.dtype)
            if (k > 1 and (unary or name == "power")) or (k > 0 and not by[k - 1] and not exact.any()):
                continue
            close = (found[k] == exact) | (found[k].isnan() & exact.isnan())
            close |= (found[k] - exact).abs() <= rounding * exact.abs() + least
            if not close.all():
                at = (~close).nonzero()[0].item()
                wrong.append((name, k, points[:, at].tolist(), found[k][at].item(), exact[at].item()))
    return wrong
