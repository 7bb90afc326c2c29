"""Arguments without effect in the code: options that no method reads, and terms that are overwritten."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker.checks.tools import close, code, tried, value
from losskit.checker.finding import Found
from losskit.checker.subject import Subject
from losskit.checker.uses import source_of, tree_of

_READS_ALL = ("getattr(self", "vars(self)", "self.__dict__", "locals()", "super().forward")


def dead_options(criterion: Callable[..., Any]) -> set[str]:
    """The options of a class that reach nothing but attributes that no method reads."""
    if not isinstance(criterion, nn.Module):
        return set()
    kind = type(criterion)
    if len([each for each in kind.__mro__ if each not in nn.Module.__mro__]) != 1:
        return set()  # a base class may read them
    try:
        text = textwrap.dedent(inspect.getsource(kind))
        tree = ast.parse(text)
    except (OSError, TypeError, SyntaxError):
        return set()
    owner = tree.body[0]
    if not isinstance(owner, ast.ClassDef) or any(each in text for each in _READS_ALL):
        return set()
    methods = [each for each in owner.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
    start = next((each for each in methods if each.name == "__init__"), None)
    if start is None:
        return set()
    read = {name for each in methods if each is not start for name in _attributes(each, ast.Load)}
    options = [each.arg for each in (*start.args.args, *start.args.kwonlyargs) if each.arg != "self"]
    return {each for each in options if not _reaches(start, each, read)}


def compared_with(criterion: Callable[..., Any], option: str) -> list[str]:
    """The words that the code of a loss compares an option with."""
    owner = type(criterion) if isinstance(criterion, nn.Module) else criterion
    try:
        return re.findall(rf"\b{option}\s*==\s*[\"']([^\"']+)[\"']", inspect.getsource(owner))
    except (OSError, TypeError):
        return []


def overwritten(criterion: Callable[..., Any]) -> tuple[list[str], str]:
    """Arguments and options that enter only a variable that is assigned anew before it is read, and the variable."""
    tree = tree_of(source_of(criterion))
    if tree is None:
        return [], ""
    for at, statement in enumerate(tree.body):
        name = _assigned(statement)
        if not name or name in _names(statement.value, ast.Load):  # type: ignore[attr-defined]
            continue
        earlier = _before(tree.body[:at], name)
        if not earlier or any(map(_calls_itself, earlier)):
            continue
        rest = [each for each in tree.body if each not in earlier]
        used = {found for each in rest for found in _names(each, ast.Load)}
        arguments = [each.arg for each in (*tree.args.args, *tree.args.kwonlyargs) if each.arg != "self"]
        inside = {found for each in earlier for found in _names(each, ast.Load)}
        lost = [each for each in arguments if each in inside - used]
        if isinstance(criterion, nn.Module):
            held = [each for statement in earlier for each in _attributes(statement, ast.Load)]
            everywhere = list(_attributes(ast.parse(source_of(criterion)), ast.Load))
            lost += sorted({n for n in held if n in vars(criterion) and held.count(n) == everywhere.count(n)})
        if lost:
            return lost, name
    return [], ""


def _calls_itself(node: ast.AST) -> bool:
    """Whether a method of the loss is called, which may keep what it gets."""
    called = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
    return any(ast.unparse(each).startswith("self.") for each in called)


def _before(body: list[ast.stmt], name: str) -> list[ast.stmt] | None:
    """The statements that only change this variable; None if another one reads it."""
    found = []
    for each in body:
        if name not in _names(each, ast.Load) | _names(each, ast.Store):
            continue
        loop = isinstance(each, ast.For) and not each.orelse and all(_changes(inner, name) for inner in each.body)
        if not loop and not _changes(each, name):
            return None
        found.append(each)
    return found


def _changes(statement: ast.stmt, name: str) -> bool:
    """Whether a statement, or each inside a condition, assigns this variable and nothing else."""
    if isinstance(statement, ast.If):
        return all(_changes(each, name) for each in (*statement.body, *statement.orelse))
    if isinstance(statement, ast.AugAssign):
        return isinstance(statement.target, ast.Name) and statement.target.id == name
    return _assigned(statement) == name


def _assigned(statement: ast.stmt) -> str:
    """The one variable that a plain assignment assigns."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return ""
    target = statement.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def _names(node: ast.AST, context: type) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, context)}


def _attributes(node: ast.AST, context: type) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, context) and isinstance(each.value, ast.Name):
            yield each.attr


def _reaches(start: ast.FunctionDef | ast.AsyncFunctionDef, option: str, read: set[str]) -> bool:
    """Whether an option reaches an attribute that is read, or anything besides plain assignments and checks."""
    tainted: set[str] = {option}
    held: set[str] = set()
    for statement in start.body:
        if not _mentions(statement, tainted, held):
            continue
        if isinstance(statement, (ast.If, ast.Assert)) and not _assigns(statement):
            continue  # only checks the option
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Attribute):
                    held.add(target.attr)
                elif isinstance(target, ast.Name):
                    tainted.add(target.id)
                else:
                    return True
            continue
        return True
    return bool(held & read)


def _mentions(node: ast.AST, names: set[str], attributes: set[str]) -> bool:
    used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return bool(used & names) or bool(attributes & set(_attributes(node, ast.Load)))


def _assigns(node: ast.AST) -> bool:
    return any(isinstance(each, (ast.Assign, ast.AugAssign, ast.Call)) and not _raised(node) for each in ast.walk(node))


def _raised(node: ast.AST) -> bool:
    """Whether a condition only raises."""
    return isinstance(node, ast.Assert) or (
        isinstance(node, ast.If) and all(isinstance(each, ast.Raise) for each in (*node.body, *node.orelse))
    )


def tensors_without_effect(subject: Subject, tensors: tuple[Tensor, ...], before: float) -> Iterator[Found]:
    """Tensors of the call that change nothing, if only their shapes are known."""
    if not subject.spec.layout.startswith("several") or subject.spec.part.startswith("result"):
        return  # other parts of the result may depend on them
    others = [subject.example(seed, batch=3) for seed in range(7, 11)]
    bases = [(each, tried(value, subject, *each)) for each in (subject.example(seed, batch=6) for seed in (1, 2))]
    for at, name in enumerate(subject.spec.tensors):
        drawn = [*(other[at] for other in others), tensors[at].roll(1, 0)]
        changed = [(*tensors[:at], each, *tensors[at + 1 :]) for each in drawn if not torch.equal(each, tensors[at])]
        if name.lower().endswith(("lengths", "lens", "len")):
            changed = [(*tensors[:at], tensors[at] * 0 + 1, *tensors[at + 1 :])]
        costs = [tried(value, subject, *each) for each in changed]
        if any(_reordered_changes(subject, base, at, cost) for base, cost in bases):
            continue  # in the first example nothing counts
        if costs and all(each is not None and close(each, before, 1e-9, 1e-12) for each in costs):
            yield Found(
                f"{name} is accepted and changes nothing",
                {"value": before, f"with another {name}": before},
                code(subject, *changed[0]),
            )
            return


def _reordered_changes(subject: Subject, tensors: tuple[Tensor, ...], at: int, before: float | None) -> bool:
    """Whether a tensor with its samples in another order changes the loss."""
    after = tried(value, subject, *tensors[:at], tensors[at].roll(1, 0), *tensors[at + 1 :])
    return before is not None and after is not None and not close(after, before, 1e-9, 1e-12)
