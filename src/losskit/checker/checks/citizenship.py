"""Citizenship: a loss does not change its inputs, and can be compiled, exported, transformed, copied and saved."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker import draws
from losskit.checker.calling import MASKS
from losskit.checker.checks.ignored import case_of, compared_labels, holds_labels, ignores, special_labels
from losskit.checker.checks.tools import additive, away, close, code, is_random, pull, value
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.subject import LossRaised, Subject


@check(
    "changes-inputs",
    Severity.WRONG,
    why="A metric that is computed next gets other scores or labels than the model and the data produced.",
    fix="Replace in-place operations (names ending in _) and assignments to input[...] or target[...] by new tensors.",
    anyhow=True,
)
def changes_inputs(subject: Subject) -> Iterator[Found]:
    """Are input and target unchanged after the call?"""
    told = set()
    for tensors, masks in _sorts(subject):
        given = tuple(t.clone() for t in tensors)
        try:
            subject.call(subject.build(), *given, **{name: each.clone() for name, each in masks.items()})
        except LossRaised:
            continue
        for place, (name, before, after) in enumerate(zip(subject.spec.tensors, tensors, given, strict=True)):
            if name not in told and not torch.equal(before, after):
                told.add(name)
                lines = (f"before = {name}.clone()", "{call}", f"print(before, {name})")
                numbers = {"largest change": float((after.double() - before.double()).abs().max())}
                repro = code(subject, *tensors, lines=lines, arguments=masks)
                also = f" if {next(iter(masks))} is given" if masks else ""
                grade = None if place or _in_training(subject, tensors) else Severity.TRAP
                yield Found(f"the call changes its {name}{also}", numbers, repro, grade)


def _in_training(subject: Subject, tensors: tuple[Tensor, ...]) -> bool:
    """Whether the prediction changes in a training step too, and autograd does not notice."""
    x = tensors[0].clone().requires_grad_()
    middle = x * 1.0
    try:
        subject.call(subject.build(), middle, *(each.clone() for each in tensors[1:])).mean().backward()  # type: ignore[no-untyped-call]
    except (LossRaised, RuntimeError):
        return False
    return not torch.equal(middle.detach(), tensors[0])


def _sorts(subject: Subject) -> Iterator[tuple[tuple[Tensor, ...], dict[str, Tensor]]]:
    """Examples of every sort: random, confident, with ignored labels, and with a mask."""
    yield subject.example(), {}
    for correct in (True, False):
        yield subject.example(scale=20.0, correct=correct), {}
    if ignores(subject.spec):
        case = case_of(subject)
        yield (case.input, case.target), {}
    for label in special_labels(subject) | compared_labels(subject):
        tensors = subject.example()
        last = len(tensors) - 1
        held = [holds_labels(each) or (subject.spec.labels and at == last) for at, each in enumerate(tensors)]
        marked = tuple(each.clone() if held[at] else each for at, each in enumerate(tensors))
        for at, each in enumerate(marked):
            if held[at] and each.dim():
                each[..., -1] = label
        yield marked, {}
    for name in (each for each in subject.spec.arguments if each in MASKS):
        tensors = subject.example()
        mask = torch.ones_like(tensors[-1] if subject.spec.labels else tensors[0], dtype=torch.bool)
        mask.reshape(-1)[::2] = False
        for given in (mask, mask.float(), mask[:, 0] if mask.dim() > 1 else mask):
            yield tensors, {name: given}


@check(
    "changes-grad-mode",
    Severity.WRONG,
    why="The code after the loss runs with gradients where it should not, or without them where it should.",
    fix="with torch.no_grad(): or with torch.set_grad_enabled(mode): which restore the mode of the caller.",
    anyhow=True,
)
def changes_grad_mode(subject: Subject) -> Iterator[Found]:
    """Is autograd switched on or off after the call as before it?"""
    tensors = subject.example()
    for mode in (False, True):
        with torch.set_grad_enabled(mode):
            subject.call(subject.build(), *(t.clone() for t in tensors))
            after = torch.is_grad_enabled()
        if after != mode:
            state = ("off", "on")
            with_ = f"with torch.{'enable' if mode else 'no'}_grad():"
            lines = (with_, "    {call}", "    print(torch.is_grad_enabled())")
            yield Found(
                f"the call leaves gradients switched {state[after]} where they were {state[mode]}",
                {"before": mode, "after": after},
                code(subject, *tensors, lines=lines),
            )
            return


@check(
    "random",
    Severity.PROPERTY,
    why="The same batch gives another loss each time; comparing runs needs seeds.",
    fix="If sampling is intended, use a torch.Generator.",
    consequence_of=("changes-inputs", "has-memory"),
)
def random(subject: Subject) -> Iterator[Found]:
    """Does the same call return the same loss, whatever the seed?"""
    tensors = subject.example(batch=4)
    numbers = []
    for seed in range(3):
        draws.seed(seed)
        numbers.append(float(subject.value(*tensors).detach()))
    if any(not close(each, numbers[0], 1e-6, 1e-9) for each in numbers):
        repro = code(subject, *tensors, lines=("print({call}, {call}, {call})",))
        yield Found("the same call gives another number each time", {"values": numbers}, repro)


class _Mark:
    """A hook that does nothing and lives as long as the graph that holds it."""

    def __call__(self, gradient: Tensor) -> None:
        return None


@check(
    "keeps-graph",
    Severity.COST,
    why="The activations of the last step stay in memory during the next: only a smaller batch fits.",
    fix="Store result.detach() or result.item() on self, not the result.",
)
def keeps_graph(subject: Subject) -> Iterator[Found]:
    """Is the graph of a call freed once its result is gone?"""
    criterion = subject.build()
    tensors = subject.example()
    x = tensors[0].clone().requires_grad_()
    middle = x * 1.0
    mark = _Mark()
    alive = weakref.ref(mark)
    middle.register_hook(mark)  # type: ignore[no-untyped-call]  # the graph holds its hooks
    subject.call(criterion, middle, *tensors[1:])
    del mark, middle
    if alive() is not None:
        gc.collect()
    if alive() is not None:
        lines = (
            "{input}.requires_grad_()",
            "{call}",
            "print([name for name, held in vars(criterion).items() if getattr(held, 'grad_fn', None)])",
        )
        repro = code(subject, *tensors, lines=lines)
        if _raises_next_time(subject, tensors):
            what = "the next call extends the graph of the last one, and its backward() raises"
            yield Found(what, "", repro, Severity.WRONG)
        else:
            yield Found("the graph of a call stays alive after its result is gone", "", repro)


def _raises_next_time(subject: Subject, tensors: tuple[Tensor, ...]) -> bool:
    """Whether two training steps in a row end in the error of a freed graph."""
    criterion = subject.build()
    for _ in range(3):
        x = tensors[0].clone().requires_grad_()
        loss = subject.call(criterion, x * 1.0, *tensors[1:]).mean()
        if not loss.requires_grad:
            return False
        try:
            loss.backward()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            return "second time" in str(error)
    return False


def _same(subject: Subject, other: Callable[..., Any], tensors: tuple[Tensor, ...]) -> str:
    """What goes wrong if this replaces the loss; empty if it behaves the same."""
    found: list[Tensor] = []
    right: list[Tensor] = []
    for criterion, kept in ((other, found), (_straight(subject), right)):
        x = tensors[0].clone().requires_grad_()
        draws.seed()
        loss = criterion(x, *tensors[1:]).mean()
        kept += [loss.detach(), torch.autograd.grad(loss, x)[0] if loss.requires_grad else torch.zeros_like(x)]
    return "" if all(map(_alike, found, right)) else "gives another number"


def _alike(found: Tensor, right: Tensor) -> bool:
    """Whether both are the same numbers, NaN in the same places."""
    there = found.isnan()
    if not torch.equal(there, right.isnan()):
        return False
    return bool(away(found.masked_fill(there, 0), right.masked_fill(there, 0), 1e-6) < 1e-3)


def _said(error: BaseException) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].strip()[:160] if lines else ''}"


def _straight(subject: Subject) -> Callable[..., Any]:
    """The loss called in the order of the spec's tensors."""
    criterion, way = subject.build(), subject.spec.way
    return lambda *tensors: way.call(criterion, tensors, {})


@check(
    "compile",
    Severity.CONVENIENCE,
    why="torch.compile cannot fuse the loss with the model, or stops with fullgraph=True.",
    fix="Keep tensor values out of Python: no if on a tensor, .item(), .tolist() or numpy.",
    consequence_of=("no-graph",),
)
def compile(subject: Subject) -> Iterator[Found]:
    """Does torch.compile(fullgraph=True) give the same value and gradient?"""
    tensors = subject.example(batch=3)
    torch._dynamo.reset()
    lines = (
        'compiled = torch.compile(criterion, fullgraph=True, backend="eager")',
        f"print({subject.call_code().replace('criterion(', 'compiled(')})",
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = _same(subject, torch.compile(_straight(subject), fullgraph=True, backend="eager"), tensors)
    except Exception as error:  # noqa: BLE001 - whatever the compiler raises
        wrong = _said(error)
    if wrong:
        grade = Severity.WRONG if wrong.startswith("gives") else None
        yield Found("torch.compile(fullgraph=True) fails", wrong, code(subject, *tensors, lines=lines), grade)


class _Held(nn.Module):
    """A loss inside a module, as torch.export requires."""

    def __init__(self, criterion: Callable[..., Any]) -> None:
        super().__init__()
        self.criterion = criterion

    def forward(self, *tensors: Tensor) -> Any:
        return self.criterion(*tensors)


@check(
    "export",
    Severity.CONVENIENCE,
    why="A training step that contains the loss cannot be exported.",
    fix="Keep tensor values out of Python: no if on a tensor, .item(), .tolist() or numpy.",
    consequence_of=("no-graph", "compile"),
)
def export(subject: Subject) -> Iterator[Found]:
    """Does torch.export give the same value?"""
    tensors = subject.example(batch=3)
    lines = (
        "class Step(torch.nn.Module):",
        "    def forward(self, *tensors):",
        "        return criterion(*tensors)",
        f"print(torch.export.export(Step(), ({', '.join(subject.spec.tensors)},)))",
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported = torch.export.export(_Held(_straight(subject)), tensors, strict=False).module()
            made = float(exported(*tensors).double().mean())
        same = close(made, value(subject, *tensors), 1e-3) or is_random(subject) or _moves_buffers(subject, tensors)
        wrong = "" if same else "gives another number"
    except Exception as error:  # noqa: BLE001 - whatever the exporter raises
        wrong = _said(error)
    if wrong:
        grade = Severity.WRONG if wrong.startswith("gives") else None
        yield Found("torch.export fails", wrong, code(subject, *tensors, lines=lines), grade)


def _moves_buffers(subject: Subject, tensors: tuple[Tensor, ...]) -> bool:
    """Whether a call changes the buffers of a loss, such as a moving average."""
    criterion = subject.build()
    if not isinstance(criterion, nn.Module):
        return False
    before = [each.clone() for each in criterion.buffers()]
    subject.call(criterion, *(each.clone() for each in tensors))
    return any(not torch.equal(*each) for each in zip(before, criterion.buffers(), strict=False))


@check(
    "func-grad",
    Severity.CONVENIENCE,
    why="torch.func.grad, and everything built on it, does not work through the loss.",
    fix="A custom Function needs setup_context; otherwise use PyTorch's own operators.",
    consequence_of=("no-graph", "slope-disagrees", "changes-inputs"),
)
def func_grad(subject: Subject) -> Iterator[Found]:
    """Does torch.func.grad return the gradient?"""
    tensors = subject.example()
    lines = (f"print(torch.func.grad(lambda x: {_as_x(subject)}.mean())({subject.spec.tensors[0]}))",)
    criterion = subject.build()
    draws.seed()
    try:
        found = torch.func.grad(lambda x: subject.call(criterion, x, *tensors[1:]).mean())(tensors[0])
    except Exception as error:  # noqa: BLE001 - functorch raises many kinds
        wrong = _said(getattr(error, "original", error))
        yield Found("torch.func.grad fails", wrong, code(subject, *tensors, lines=lines))
        return
    right = pull(subject, *tensors).gradient
    if away(found, right, 1e-6) > 1e-3:
        numbers = {"func.grad": float(found.norm()), "backward": float(right.norm())}
        yield Found(
            "torch.func.grad returns another gradient", numbers, code(subject, *tensors, lines=lines), Severity.WRONG
        )


def _as_x(subject: Subject) -> str:
    return subject.call_code().replace(subject.spec.tensors[0], "x", 1)


@check(
    "vmap",
    Severity.CONVENIENCE,
    why="Per-sample gradients, as for influence scores and private training, cannot be computed in one call.",
    fix="Keep tensor values out of Python, and write no result into a tensor made by zeros().",
    consequence_of=("no-graph", "func-grad"),
    applies=lambda spec: additive(spec) and spec.two and (spec.labels or spec.kind in ("regression", "distribution")),
)
def vmap(subject: Subject) -> Iterator[Found]:
    """Does vmap(grad) return each sample's gradient?"""
    input, target = subject.example(batch=3)
    call = _as_x(subject).replace(subject.spec.tensors[1], "t[None]", 1).replace("x", "x[None]", 1)
    names = ", ".join(subject.spec.tensors)
    lines = (f"step = torch.func.grad(lambda x, t: {call}.mean())", f"print(torch.func.vmap(step)({names}))")
    criterion = subject.build()

    def one(x: Tensor, t: Tensor) -> Tensor:
        return subject.call(criterion, x[None], t[None]).mean()

    draws.seed()
    try:
        found = torch.func.vmap(torch.func.grad(one), randomness="same")(input, target)
    except Exception as error:  # noqa: BLE001 - functorch raises many kinds
        wrong = _said(getattr(error, "original", error))
        yield Found("vmap(grad) fails", wrong, code(subject, input, target, lines=lines))
        return
    right = torch.cat([pull(subject, input[i : i + 1], target[i : i + 1]).gradient for i in range(3)])
    if away(found, right, 1e-6) > 1e-3:
        numbers = {"vmap": float(found.norm()), "one by one": float(right.norm())}
        yield Found(
            "vmap(grad) returns another gradient", numbers, code(subject, input, target, lines=lines), Severity.WRONG
        )


@check(
    "copies",
    Severity.CONVENIENCE,
    why="Spawned workers, checkpoints of whole objects and averaged models need copies.",
    fix="Keep lambdas, local functions, generators and locks off self; define classes at module level.",
)
def copies(subject: Subject) -> Iterator[Found]:
    """Can the loss be deep-copied, pickled, and saved by its state_dict?"""
    criterion = subject.build()
    if not isinstance(criterion, nn.Module):
        return
    tensors = subject.example()
    right = value(subject, *tensors)
    for what, copied, line in (
        ("copy.deepcopy", copy.deepcopy, "import copy; copy.deepcopy(criterion)"),
        ("pickle", lambda each: pickle.loads(pickle.dumps(each)), "import pickle; pickle.dumps(criterion)"),  # noqa: S301
        ("state_dict", _through_state, "criterion.load_state_dict(criterion.state_dict())"),
    ):
        try:
            made = copied(criterion)
            draws.seed()
            found = float(subject.call(made, *tensors).detach().double().mean())
            wrong = "" if close(found, right) else f"the copy gives {found:.6g} instead of {right:.6g}"
        except Exception as error:  # noqa: BLE001 - any attribute of the loss may raise
            wrong = _said(error)
        if wrong:
            yield Found(f"{what} fails", wrong, code(subject, lines=(line,)))


def _through_state(criterion: nn.Module) -> nn.Module:
    """The loss after its state was saved and loaded."""
    buffer = io.BytesIO()
    torch.save(criterion.state_dict(), buffer)
    buffer.seek(0)
    made = copy.deepcopy(criterion)
    made.load_state_dict(torch.load(buffer, weights_only=True))
    return made
