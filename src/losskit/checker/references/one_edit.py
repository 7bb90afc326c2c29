"""The check: a loss that one edit of its code turns into the formula of its name."""

from __future__ import annotations

import ast
import functools
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from losskit.checker.children import forked, send
from losskit.checker.finding import Found, Severity
from losskit.checker.isolation import can_fork
from losskit.checker.references.binding import Bound, Seen
from losskit.checker.references.call_text import call_text
from losskit.checker.references.code import Function, functions_of
from losskit.checker.references.comparing import REACHED, closest
from losskit.checker.references.departure import departure
from losskit.checker.references.edits.edit import Edit, put, read_by
from losskit.checker.references.edits.mistakes import edits_of
from losskit.checker.references.unlike import Unlike, Written, unlike_its_formula
from losskit.checker.registry import check
from losskit.checker.subject import Subject
from losskit.checker.trial import within

_SECONDS = 2.0  # of CPU for one loss
_CALL = 0.2  # of CPU for one call of an edited loss


@check(
    "one-edit-from-formula",
    Severity.WRONG,
    why="It is not the formula of its name, and one edit turns it into that formula.",
    fix="Make the edit, or name the loss after what it computes.",
    consequence_of=("no-graph", "misused-function"),
    anyhow=True,
    assumes=True,
)
def one_edit_from_formula(subject: Subject) -> Iterator[Found]:
    """Does one edit of the code turn the loss into the formula of its name?"""
    departures = [(each, departure(each)) for each in unlike_its_formula(subject)]
    until = time.process_time() + _SECONDS
    for each, departs in sorted(departures, key=lambda pair: 1.0 if pair[1] is None else pair[1].share):
        lines = frozenset(() if departs is None else departs.lines)
        found = _apart(functools.partial(_first, each, lines), until - time.process_time())
        if found is not None:
            yield found
            return


def _first(unlike: Unlike, lines: frozenset[int], seconds: float) -> Found | None:
    return next(_reached(unlike.bound, unlike.forms, lines, time.process_time() + seconds), None)


def _apart(work: Callable[[float], Found | None], seconds: float) -> Found | None:
    """What some work finds in a copy of this process, which an edited loss may end; None if it does."""
    if not can_fork():
        return work(seconds)
    child = forked(lambda reply: send(reply, found=work(seconds)))
    try:
        sent = child.next(10 * seconds + 5)
    except TimeoutError:
        sent = None
    child.kill()
    return None if sent is None else sent["found"]


def _reached(bound: Bound, written: list[Written], lines: frozenset[int], until: float) -> Iterator[Found]:
    """Edits that reach the formula: first those of the lines at which the loss departs, the likely kinds first."""
    functions = functions_of(bound.build())
    edits = [(edit, function) for function in functions for edit in edits_of(function)]
    reads = {each.function: read_by(each.tree) for each in functions}
    doubled = {each.function: _doubled(each.tree) for each in functions}
    guards = {each.function: _guards(each.tree) + _masked(each.tree) for each in functions}
    unused = {each.function: _unused(each.tree) for each in functions}
    activates = {each.function: _activates(each.tree) for each in functions}

    def order(each: tuple[Edit, Function]) -> tuple[bool, float]:
        edit, function = each
        statement = edit.place.statement
        own = range(
            statement.lineno + function.before, (statement.end_lineno or statement.lineno) + function.before + 1
        )
        return lines.isdisjoint(own), edit.kind

    for edit, function in sorted(edits, key=order):
        if time.process_time() > until:
            return
        read = reads[function.function]
        undo = edit.apply()
        try:
            code = function.compiled()
            if code is None:
                continue
            for each in written:
                with function.running(code):
                    values = _edited(bound, each)
                if values is None or not _plausible(function, read):
                    continue
                plausible = _doubled(function.tree) <= doubled[function.function]
                plausible = plausible and _guards(function.tree) + _masked(function.tree) >= guards[function.function]
                plausible = plausible and _unused(function.tree) <= unused[function.function]
                plausible = plausible and _activates(function.tree) >= activates[function.function]
                if re.search(_OVERLAPS, bound.reference.said):
                    plausible = plausible and _stays_share(each.seen, values)
                if plausible and not _removable(bound, each, edit, function):
                    after = _around(edit)
                    undo()
                    yield _finding(bound, each, values, edit, function, after)
                    return
        finally:
            undo()


def _plausible(function: Function, read: set[str]) -> bool:
    """Whether the edited function still reads the arguments that it read, and subtracts nothing from itself."""
    if (read & function.given) - read_by(function.tree):
        return False
    pairs = [node for node in ast.walk(function.tree) if isinstance(node, ast.BinOp)]
    return not any(map(_cancels, pairs)) and all(
        ast.dump(n.left) != ast.dump(n.right) or not isinstance(n.op, (ast.Sub, ast.Div)) for n in pairs
    )


def _cancels(node: ast.BinOp) -> bool:
    """Whether a factor of what is divided is also one of what it is divided by."""
    if not isinstance(node.op, ast.Div):
        return False
    return bool(set(_factors(node.left)) & set(_factors(node.right)))


def _factors(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield from _factors(node.left)
        yield from _factors(node.right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        yield from _factors(node.left)
    elif isinstance(node, (ast.Name, ast.Attribute)):
        yield ast.unparse(node)


def _doubled(tree: ast.AST) -> int:
    """How many arguments of calls are given twice: the difference of a value from itself is no repair."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    given = ([ast.dump(each) for each in call.args if not isinstance(each, ast.Constant)] for call in calls)
    return sum(len(each) - len(set(each)) for each in given)


def _guards(tree: ast.AST) -> int:
    """How many bounds keep its values finite: to drop one, or a least value for a largest one, is no repair."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return sum(
        each.func.attr.startswith(("clamp", "clip", "nan_to", "softplus"))  # type: ignore[attr-defined]
        and [keyword.arg for keyword in each.keywords] != ["max"]
        for each in calls
    )


def _unused(tree: ast.AST) -> int:
    """How many statements assign what none of the next ones reads: to leave one without use is no repair."""
    body = getattr(tree, "body", [])
    count = 0
    for at, each in enumerate(body):
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            name = each.targets[0].id
            after = (node for other in body[at + 1 :] for node in ast.walk(other))
            count += not any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in after)
    return count


_ACTIVATIONS = r"(log_?)?(softmax|sigmoid)|\w*with_?logits\w*|cross_?entropy\w*|softplus|logsumexp|tanh"


def _activates(tree: ast.AST) -> bool:
    """Whether it activates anything: logits that it no longer activates are no repair."""
    called = (ast.unparse(node.func).rpartition(".")[2] for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(re.fullmatch(_ACTIVATIONS, each.lower()) for each in called)


_MASKS = r"valid|mask|keep|observed|measured|missing"


def _masked(tree: ast.AST) -> int:
    """How often it reads a mask: to let everything count is no repair."""
    return sum(isinstance(each, ast.Name) and re.search(_MASKS, each.id) is not None for each in ast.walk(tree))


def _removable(bound: Bound, written: Written, edit: Edit, function: Function) -> bool:
    """Whether 0 in the place of what was edited gives the formula too: it is a further term, and no mistake."""
    place = edit.place
    if not isinstance(place.node, ast.expr) or isinstance(place.node, ast.Constant):
        return False
    edited = place.now
    put(place, ast.BinOp(place.node, ast.Mult(), ast.Constant(0)))()
    try:
        code = function.compiled()
        if code is None:
            return False
        with function.running(code):
            return _edited(bound, written) is not None
    finally:
        place.put(edited)


_OVERLAPS = r"Dice|Jaccard|Tversky|overlap"


def _stays_share(written: Sequence[Seen], edited: Sequence[Seen]) -> bool:
    """Whether a loss in [0, 1] stays there: an overlap without its denominator is no overlap."""
    before, after = (torch.stack([each.values[0] for each in seen]) for seen in (written, edited))
    share = bool(((before >= 0) & (before <= 1)).all())
    return not share or bool(((after > -0.01) & (after < 1.01)).all()) or float(after.std()) < 2 * float(before.std())


def _edited(bound: Bound, written: Written) -> list[Seen] | None:
    """What an edited loss gives, if it is the formula."""
    try:
        with within(_CALL):
            first = bound.seen(written.table.tensors[0])
            slopes = first.slopes[:, 0]
            if not written.table.near(slopes, REACHED):
                return None
            seen = [first, *(bound.seen(each) for each in written.table.tensors[1:])]
            return seen if closest(written.table, seen, REACHED) is not None else None
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception:  # noqa: BLE001 - the edit makes no loss
        return None


_WIDE = 72


def _around(edit: Edit) -> str:
    """The code around an edit, as the tree is now."""
    place = edit.place
    simple = not isinstance(place.statement, (ast.For, ast.If, ast.With, ast.FunctionDef))
    whole = ast.unparse(place.statement) if simple else ""
    if whole and len(whole) <= _WIDE:
        return whole
    text = ast.unparse(place.now)
    for each in reversed(place.above):
        wider = ast.unparse(each) if isinstance(each, ast.expr) else ""
        if not wider or len(wider) > _WIDE:
            break
        text = wider
    return text if len(text) <= 2 * _WIDE else text[: 2 * _WIDE] + " ..."


def _finding(bound: Bound, written: Written, edited: list[Seen], edit: Edit, function: Function, after: str) -> Found:
    before = _around(edit)
    line = getattr(edit.place.node, "lineno", edit.place.statement.lineno) + function.before
    file = Path(function.function.__code__.co_filename).name
    values = [float(each.values[0]) for each in written.seen]
    reached = [float(each.values[0]) for each in edited]
    at = max(range(len(values)), key=lambda n: abs(values[n] - reached[n]))
    evidence: dict[str, Any] = {"as written": values[at], "formula": reached[at]}
    if math.isclose(values[at], reached[at], rel_tol=1e-6):
        evidence = _slopes(written.seen[at].slopes[:, 0], edited[at].slopes[:, 0])
    said = f"`{before}` is `{after}` in {bound.reference.said}"
    if "eye(len(" in after and "eye(len(" not in before:
        said = f"`{before}` keeps its diagonal, which {bound.reference.said} leaves out"
    return Found(
        f"{file}, line {line}: {said}",
        evidence,
        call_text(bound, written.table.tensors[at]),
        None,
        after,
    )


def _slopes(written: Tensor, formula: Tensor) -> dict[str, Any]:
    """The element of the gradient that differs most."""
    at = int((written - formula).abs().argmax())
    return {"gradient as written": float(written[at]), "gradient of the formula": float(formula[at])}
