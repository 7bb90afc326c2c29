"""Learned tensors that no optimizer gets: kept in a plain attribute, list or dict, or made anew in each call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from losskit.checker import draws
from losskit.checker.checks.tools import code
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.spec import Spec
from losskit.checker.subject import LossRaised, Subject

_LAYERS = (nn.Linear, nn.Bilinear, nn.Embedding)  # others in a list may be a frozen network, hidden on purpose


def without_model(spec: Spec) -> bool | str:
    return (not spec.way.inside and all(each.sort != "model" for each in spec.way.extras)) or "its model is an argument"


@check(
    "unregistered-parameters",
    Severity.WRONG,
    why="parameters() and state_dict() do not contain it: it is never trained, not moved by to(), and not saved.",
    fix="self.name = nn.Parameter(...), nn.ParameterList or nn.ModuleList, in the constructor.",
    anyhow=True,
    applies=without_model,
)
def unregistered_parameters(subject: Subject) -> Iterator[Found]:
    """Is every tensor that the loss trains one of its parameters?"""
    criterion = subject.build()
    if not isinstance(criterion, nn.Module):
        return
    known = {id(each) for each in (*criterion.parameters(), *criterion.buffers())}
    given = [each for value in subject.origin.options.values() for each, _ in _held(value)]
    for inner in criterion.modules():
        for name, value in vars(inner).items():
            for tensor, where in () if name in ("_parameters", "_modules", "_buffers") else _held(value):
                own = not any(each.shape == tensor.shape and torch.equal(each, tensor) for each in given)
                if id(tensor) not in known and own and tensor.requires_grad and _counts(subject, criterion, tensor):
                    yield _found(subject, f"{name} is {where or _plain(tensor)}", "requires a gradient")
                    return
    yield from _made_in_call(subject, known)
    yield from _hidden_buffers(subject, criterion)


def _hidden_buffers(subject: Subject, criterion: nn.Module) -> Iterator[Found]:
    """Losses with class weights in a plain list, tuple or dict, where to() does not reach them."""
    reached = {id(each) for each in criterion.modules()}
    for inner in criterion.modules():
        for name, value in vars(inner).items():
            held = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
            for each in held if name != "_modules" else ():
                if isinstance(each, _Loss) and id(each) not in reached and len(list(each.buffers())):
                    yield Found(
                        f"{name} is a plain {type(value).__name__} of modules: to() and double() do not move the class "
                        "weights in them, and state_dict() does not contain them",
                        {"modules": len(reached) - 1},
                        code(subject, lines=("print(list(criterion.state_dict()))",)),
                        None,
                        f"self.{name} = nn.ModuleList(...), or nn.ModuleDict.",
                    )
                    return


def _found(subject: Subject, what: str, how: str) -> Found:
    criterion = subject.build()
    count = len(list(criterion.parameters())) if isinstance(criterion, nn.Module) else 0
    return Found(
        f"{what}, which {how} and is not in parameters(): no optimizer trains it",
        {"parameters": count},
        code(subject, lines=("print([name for name, _ in criterion.named_parameters()])",)),
    )


def _plain(tensor: Tensor) -> str:
    return "a plain tensor" if tensor.is_leaf else "the result of an operation on a parameter"


def _held(value: Any, where: str = "", depth: int = 3) -> Iterator[tuple[Tensor, str]]:
    """The tensors in a value, and in which container they are; those of layers in a list or dict, too."""
    if isinstance(value, Tensor):
        yield value, where
    elif isinstance(value, (list, tuple, dict)) and depth:
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, _LAYERS):
                yield from ((weight, f"a plain {type(value).__name__} of layers") for weight in each.parameters())
            else:
                yield from _held(each, f"a plain {type(value).__name__} of tensors", depth - 1)


def _called(subject: Subject, criterion: Any, seed: int) -> Tensor | None:
    """The result, with random numbers of this seed; None if it cannot be called or has no gradient."""
    draws.seed(seed)
    try:
        with torch.enable_grad():
            made = subject.call(criterion, *(each.clone() for each in subject.example()))
    except LossRaised:
        return None
    return made.mean() if made.requires_grad else None


def _counts(subject: Subject, criterion: Any, tensor: Tensor) -> bool:
    """Whether the loss depends on a tensor."""
    made = _called(subject, criterion, 0)
    return made is not None and torch.autograd.grad(made, tensor, allow_unused=True)[0] is not None


def _made_in_call(subject: Subject, known: set[int]) -> Iterator[Found]:
    """Parameters that a call makes with random values."""
    criterion: Any = subject.build()
    hidden = {id(each) for inner in _modules(criterion) for each in inner.parameters()}
    made = [_new_leaves(_called(subject, criterion, seed), known | hidden) for seed in (0, 0, 1)]
    again = len(made[0]) > 0 and all(len(each) == len(made[0]) for each in made)
    for first, same, other in zip(*made, strict=True) if again else ():
        alike = first.shape == same.shape == other.shape and torch.equal(first, same)
        if alike and not torch.equal(first, other):
            size = tuple(first.shape)
            yield _found(subject, f"each call makes a parameter {size} with new random values", "is forgotten after it")
            return


def _modules(criterion: nn.Module) -> Iterator[nn.Module]:
    """The modules of a loss, with those that it hides in a plain list, tuple or dict."""
    for inner in criterion.modules():
        yield inner
        for value in vars(inner).values():
            held = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
            yield from (each for each in held if isinstance(each, nn.Module))


def _new_leaves(result: Tensor | None, known: set[int]) -> list[nn.Parameter]:
    """The parameters in the graph of a result that are not known."""
    nodes, seen = [] if result is None else [result.grad_fn], set()
    found: list[nn.Parameter] = []
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, nn.Parameter) and id(leaf) not in known:
            found.append(leaf)
        nodes += [each for each, _ in node.next_functions]
    return found
