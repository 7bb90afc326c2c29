"""Random formulas of the operations that a tape has, and what plain PyTorch computes from a formula."""

import random

import torch
import torch.nn.functional as F

import losskit
from losskit.ops import choice, differences, finish, plan

ONE = {
    "abs": torch.abs,
    "exp": lambda a: torch.exp(a.clamp(max=20)),
    "exp itself": torch.exp,
    "expm1": lambda a: torch.expm1(a.clamp(max=20)),
    "log": lambda a: torch.log(a.abs() + 0.1),
    "log1p": lambda a: torch.log1p(a.abs()),
    "tanh": torch.tanh,
    "sqrt": lambda a: torch.sqrt(a * a + 0.5),
    "sigmoid": torch.sigmoid,
    "square": torch.square,
    "neg": torch.neg,
    "softplus": F.softplus,
    "cosh": lambda a: torch.cosh(a.clamp(-9, 9)),
    "sinh": lambda a: torch.sinh(a.clamp(-9, 9)),
    "relu": torch.relu,
    "sign": lambda a: a * torch.sign(a),
    "floor": lambda a: a - torch.floor(a).detach(),
    "round": lambda a: a + (torch.round(a) - a).detach(),
    "rsqrt": lambda a: torch.rsqrt(a.abs() + 1),
    "logsigmoid": F.logsigmoid,
    "elu": F.elu,
    "silu": F.silu,
    "leaky": F.leaky_relu,
    "power": lambda a: (a.abs() + 0.3) ** 1.7,
    "cube": lambda a: a.clamp(-30, 30) ** 3,
    "inverse": lambda a: 1 / (a * a + 1),
    "base": lambda a: 2.0 ** a.clamp(max=20),
    "detach": lambda a: a * a.detach().abs(),
    "where": lambda a: torch.where(a > 0.3, a, a * a),
    "isfinite": lambda a: torch.where(torch.isfinite(a), a, torch.zeros_like(a)),
    "float": lambda a: a * (a > 0).to(a.dtype),
    "both": lambda a: torch.where((a > -1) & ~(a > 1), a, a.abs()),
    "either": lambda a: a.masked_fill((a < -2) | (a > 2), 2.0),
}
TWO = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": lambda a, b: a / (b.abs() + 0.5),
    "minimum": torch.minimum,
    "maximum": torch.maximum,
    "where": lambda a, b: torch.where(a < b, a * 0.5, b),
    "addcmul": lambda a, b: torch.addcmul(a, b, a, value=0.25),
    "mse": lambda a, b: F.mse_loss(a, b, reduction="none"),
    "huber": lambda a, b: F.huber_loss(a, b, reduction="none", delta=0.7),
    "logaddexp": torch.logaddexp,
    "smooth": lambda a, b: F.smooth_l1_loss(a, b, reduction="none", beta=0.4),
    "in place": lambda a, b: (a * 2).add_(b).mul_(0.5),
    "equal": lambda a, b: torch.where(a == b, a, a - b),
    "le": lambda a, b: torch.where(a <= b, b - a, a),
}


def drawn(seed, leaves):
    """A formula of so many tensors, at random: a function of them, and its description."""
    draw = random.Random(seed)
    steps = []
    for k in range(draw.randint(1, 8)):
        known = leaves + k
        if draw.random() < 0.5:
            steps.append((draw.choice(list(ONE)), draw.randrange(known), None, draw.choice((1.0, 0.5, -1.3, 3.0))))
        else:
            name, a, b = draw.choice(list(TWO)), draw.randrange(known), draw.randrange(known)
            steps.append((name, a, b, draw.choice((1.0, 0.7, -2.0))))

    def formula(*tensors):
        values = list(tensors)
        for name, a, b, scale in steps:
            value = ONE[name](values[a]) if b is None else TWO[name](values[a], values[b])
            values.append(scale * value)
        return values[-1] + 0.125 * values[0]  # which has a gradient

    return formula, steps


def compared(loss, tensors, **arguments):
    """Value and gradient of the loss, and those of its formula as plain PyTorch; whether a tape gave the first."""
    found, tape = [], False
    for plain in (False, True):
        input = tensors[0].detach().clone(memory_format=torch.preserve_format).requires_grad_()
        if plain:
            with choice.forced("reference"):
                value = loss(input, *tensors[1:], **arguments)
        else:
            value = loss(input, *tensors[1:], **arguments)
            tape = value.grad_fn.name() == "FusedLossBackward"
        found.append((value.detach(), torch.autograd.grad(value * 3, input)[0]))
    return found[0], found[1], tape


def reason(loss, *tensors, **arguments):
    """What explain says of why the formula is not evaluated inside the pass."""
    (only,) = losskit.explain(loss, *tensors, **arguments)
    return only.refused["native"]


def in_c(program, *tensors):
    """The sum of a program's values and the slope of each element, as C evaluates them on one or two tensors."""
    input, target = tensors if len(tensors) == 2 else (tensors[0], torch.zeros_like(tensors[0]))
    input = input.detach().clone().requires_grad_()
    inputs = differences.inputs_of("a formula", {"input": input, "target": target, "weight": None, "mask": None})
    columns = differences.columns(program)
    part = plan.PlannedPart(finish.TermsFinish(1, reduction="sum", empty="zero"), 1.0, columns, [0, 1])
    made = plan.Plan(
        (input, target, None, None), inputs, columns, [part], pooled=True, is_sum=False, offset=0.0, reasons={}
    )
    value = made(plan.Call(made, None, None, input, target, None, None))
    return value.detach(), torch.autograd.grad(value, input)[0]
