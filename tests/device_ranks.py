"""Losses of ranked errors on a device: in Triton's interpreter, or with launches that are counted."""

import threading
import warnings
from contextlib import contextmanager
from unittest.mock import patch

import torch

import losskit
from device_cases import Operators, labels, planned_here
from losskit.ops import choice, first_use, native, reference
from losskit.ops.inputs import Inputs
from losskit.ops.triton import ranks

Lovasz = losskit.LovaszLoss


def coarse(shape, *, multilabel=False):
    """Logits with many equal errors, whose float32 errors are exact."""
    x, t = labels(shape, multilabel=multilabel)
    return (4 * x).round() / 4, t


def masked(x, t):
    return x, t, {"mask": torch.arange(x[:, :1].numel()).view_as(x[:, :1]) % 4 > 0}


def changed(case, change):
    loss, x, t = case
    return loss, change(x), t


CASES = {
    "binary": lambda: (Lovasz(), *labels((2, 1, 9, 40), multilabel=True)),
    "ties": lambda: (Lovasz(), *coarse((2, 1, 30, 40), multilabel=True)),
    "ties of a batch": lambda: (Lovasz(pool="batch"), *coarse((3, 1, 9, 40), multilabel=True)),
    "multilabel": lambda: (Lovasz(mode="multilabel"), *labels((2, 3, 9, 11), multilabel=True)),
    "softmax": lambda: (Lovasz(), *labels((2, 5, 9, 11))),
    "softmax of a batch": lambda: (Lovasz(pool="batch", classes="all"), *labels((3, 5, 9, 11))),
    "some classes": lambda: (Lovasz(classes=[0, 2], class_weight=[1.0, 2.0, 3.0]), *labels((2, 3, 9, 11))),
    "many": lambda: (Lovasz(), *labels((1, 1, 90, 120), multilabel=True)),
    "rows": lambda: (Lovasz(pool="batch"), *labels((40, 5))),
    "mask": lambda: (Lovasz(), *masked(*labels((2, 3, 9, 11)))),
    "mask, binary": lambda: (Lovasz(), *masked(*labels((2, 1, 9, 11), multilabel=True))),
    "ignored": lambda: (Lovasz(ignore_index=0), *labels((2, 3, 9, 11))),
    "channels last": lambda: changed(
        (Lovasz(), *labels((2, 3, 8, 8))), lambda x: x.to(memory_format=torch.channels_last)
    ),
    "half": lambda: changed((Lovasz(), *coarse((2, 1, 9, 40), multilabel=True)), lambda x: x.half()),
    "no positives": lambda: (Lovasz(), labels((2, 1, 9, 11))[0], torch.zeros(2, 1, 9, 11)),
    "many classes": lambda: (Lovasz(classes="all"), *labels((1, 70, 24))),
}  # fmt: skip


def step(loss, x, t, arguments):
    x = x.detach().clone().requires_grad_()
    with choice.recorded() as passes:
        value = loss(x, t, **arguments)
    (gradient,) = torch.autograd.grad(3 * value, x)
    return value.detach(), gradient, [(each.operator, each.note) for each in passes]


def beside_the_definition(_, name):
    """The errors of value and gradient relative to float64, of the largest; the operators, and whether bits repeat."""
    loss, x, t, *arguments = CASES[name]()
    arguments = arguments[0] if arguments else {}
    with planned_here():
        value, gradient, served = step(loss, x, t, arguments)
        again = step(loss, x, t, arguments)
    exact, slope, _ = step(loss, x.double(), t, arguments)
    stored = torch.finfo(gradient.dtype).eps if gradient.dtype != torch.float32 else 0.0
    beyond = ((gradient.double() - slope).abs() - stored * slope.abs()).max() / slope.abs().max()
    same = torch.equal(value, again[0]) and torch.equal(gradient, again[1])
    return abs((value - exact) / (1 + exact.abs())).item(), beyond.item(), served, same


@contextmanager
def faulty(fault):
    """Kernels of ranked errors that raise, hang in compilation, or have one wrong number; yields what was compiled."""
    launch, compiled, ends = ranks._Ranked._launch, [], threading.Event()

    def at_fault(work, kernel, programs, *arguments, **options):
        name = kernel.__name__
        if fault == "raises" and name == "increments":
            raise RuntimeError("out of resource: shared memory")
        if work.only_compiled:
            compiled.append(name)
        if work.only_compiled and fault == "hangs":
            ends.wait(60)
            return
        launch(work, kernel, programs, *arguments, **options)
        if work.only_compiled:
            return
        if fault == "key" and name.endswith("errors"):
            keys = arguments[3][0].view(-1)
            keys[7] += 1 << 40
        if fault == "label" and name.endswith("errors"):
            arguments[3][0].view(-1)[7] ^= 1
        if fault == "increment" and name == "increments":
            arguments[2].view(-1)[5] += 1e-3
        if fault == "sum" and name == "increments":
            arguments[3].view(-1)[0] += 1e-3
        if fault == "gradient" and name.endswith("gradient"):
            work.made.view(-1)[3] += 1e-3

    limit = 0.5 if fault == "hangs" else 60
    with (
        planned_here(),
        patch.object(ranks._Ranked, "_launch", at_fault),
        patch.object(native, "warn_missing", lambda: None),
        patch.object(first_use, "LIMIT", limit),
    ):
        try:
            yield compiled
        finally:
            ends.set()


def after_a_hang(_):
    """The kernels compiled for a loss whose compilation hangs, then for another form; the operators of each."""
    found = []
    with faulty("hangs") as compiled, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("binary", "binary", "softmax"):
            loss, x, t = CASES[name]()
            served = step(loss, x, t, {})[2]
            found.append((compiled[:], [operator for operator, _ in served]))
    return found


def served(_, fault, link):
    """The errors of two calls, and what `explain` says, with kernels at fault."""
    loss, x, t = CASES["softmax" if link == "softmax" else "binary"]()
    exact, slope, _ = step(loss, x.double(), t, {})
    found = []
    with faulty(fault), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            value, gradient, _ = step(loss, x, t, {})
            found.append((abs(value - exact).item(), (gradient - slope).abs().max().item()))
        explained = str(losskit.explain(loss, x.clone().requires_grad_(), t))
    return found, [str(each.message) for each in said if "losskit" in str(each.message)], explained


def operators_of(_, name):
    """The operators on large tensors, and the launches, of a forward and of a backward pass."""
    loss, x, t, *_ = CASES[name]()
    launches, launch = [], ranks._Ranked._launch

    def counting(work, kernel, *arguments, **options):
        launches.append(kernel.__name__)
        return launch(work, kernel, *arguments, **options)

    found = []
    with planned_here():
        x = x.clone().requires_grad_()
        loss(x, t).backward()
        with patch.object(ranks._Ranked, "_launch", counting):
            with Operators() as seen:
                value = loss(x, t)
            found.append((launches[:], [name for name in seen.seen if name in ("sort", "argsort", "cumsum", "gather")]))
            launches.clear()
            value.backward()
            found.append((launches[:], []))
    return found


def bad_labels(_, name):
    """What an invalid label does: the problem, and whether the loss is NaN."""
    values = {"index": (Lovasz(), labels((2, 3, 9)), 5), "label": (Lovasz(), labels((2, 1, 9), multilabel=True), 2),
              "soft": (Lovasz(), (labels((2, 1, 9))[0], torch.ones(2, 1, 9)), 0.25)}  # fmt: skip
    _, (x, t), value = values[name]
    t = t.clone()
    t[(1, 5) if t.dim() == 2 else (1, 0, 5)] = value
    link = "softmax" if name == "index" else "sigmoid"
    totals, _, problem = ranks.rank(x, t, None, link, None, pooled=False, keep_increments=False)
    return problem.tolist(), bool(totals.isnan().all())


def large_groups(_):
    """A group of several chunks of several tiles, beside the definition."""
    x, t = coarse((1, 1, 70, 100), multilabel=True)
    with patch.object(ranks, "_TILE", 64), patch.object(ranks, "_MOST_CHUNKS", 5):
        totals, _, _ = ranks.rank(x, t, None, "sigmoid", None, pooled=False, keep_increments=True)
    exact = reference.ranks(
        Inputs("Loss", x.double(), t, None, None, "sigmoid", -100, True, None, x.shape), pooled=False
    )
    return (totals - exact).abs().max().item()


def refused():
    """Why some batches cannot be ranked on a device."""
    return (
        ranks.refusal((2, 4, 1000), "softmax", pooled=False),
        ranks.refusal((1, 3, 2**30), "softmax", pooled=False),
        (ranks.refusal((2, 9000, 4), "softmax", pooled=False)),
    )


def compiled(_):
    """Rankings by Triton in compiled calls before and after an eager call, and the errors of value and gradient."""
    loss, (x, t) = Lovasz(), labels((2, 3, 9, 11))
    ranked, found = [], []
    rank = ranks.rank
    exact, slope, _ = step(loss, x.double(), t, {})
    with planned_here(), patch.object(ranks, "rank", lambda *a, **k: ranked.append(1) or rank(*a, **k)):
        for eager in (False, True):
            if eager:
                loss(x, t)
            ranked.clear()
            torch.compiler.reset()
            value, gradient, _ = step(torch.compile(loss, fullgraph=True, backend="aot_eager"), x, t, {})
            found.append((len(ranked), abs(value - exact).item(), (gradient - slope).abs().max().item()))
    return found
