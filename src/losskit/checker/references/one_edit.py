"""The check: a loss that one edit of its code turns into the formula of its name."""

from __future__ import annotations

import ast
import functools
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from losskit.checker.children import forked, send
from losskit.checker.claims.text import text_of
from losskit.checker.finding import Found, Severity
from losskit.checker.isolation import can_fork
from losskit.checker.references.binding import EXAMPLES, Bound, Seen, bound_to
from losskit.checker.references.code import Function, functions_of
from losskit.checker.references.comparing import OTHER, REACHED, Table, closest, table
from losskit.checker.references.edits import Edit, read_by
from losskit.checker.references.mistakes import edits_of
from losskit.checker.references.reference import REFERENCES
from losskit.checker.registry import check
from losskit.checker.repro import literal, script
from losskit.checker.subject import Subject
from losskit.checker.trial import about_dtype, within

_SECONDS = 1.3  # of CPU for one loss
_CALL = 0.2  # of CPU for one call of an edited loss


@dataclass(frozen=True)
class Written:
    """A loss as written, beside the variants of its formula."""

    table: Table
    seen: list[Seen]


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
    until = time.process_time() + _SECONDS
    text = text_of(subject.build(), subject.name)
    if not text.code:
        return
    others: list[tuple[Bound, list[Written]]] = []
    for reference in REFERENCES:
        bound = bound_to(subject, reference, text)
        forms = [] if bound is None else _forms(bound)
        if bound is None or not forms:
            continue
        unlike = [each for each in forms if not _is_formula(each, subject.name)]
        if not unlike or (len(unlike) < len(forms) and not reference.every):
            return  # it is the formula, or nearly
        if reference.names(text):
            others.append((bound, unlike))
    for bound, forms in others:
        found = _apart(functools.partial(_first, bound, forms), until - time.process_time())
        if found is not None:
            yield found
            return


def _first(bound: Bound, forms: list[Written], seconds: float) -> Found | None:
    return next(_reached(bound, forms, time.process_time() + seconds), None)


def _is_formula(written: Written, name: str) -> bool:
    """Whether a loss is a variant of the formula, or nearly; a measure may be its negative."""
    if closest(written.table, written.seen, OTHER) is not None:
        return True
    measure = re.search(r"loss|criterion|nll|objective|penalty", name.lower()) is None
    negated = [Seen(-each.values, -each.slopes) for each in written.seen]
    return measure and closest(written.table, negated, OTHER) is not None


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


def _forms(bound: Bound) -> list[Written]:
    """The loss in each form that it takes."""
    found = [_in_form(bound, drawing) for drawing in range(len(bound.reference.draws))]
    return [each for each in found if each is not None]


def _in_form(bound: Bound, drawing: int) -> Written | None:
    for dtype in (torch.float64, torch.float32):
        bound.dtype = dtype
        try:
            tensors = [bound.tensors(drawing, seed) for seed in range(EXAMPLES)]
            seen = [bound.seen(each) for each in tensors]
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001 - it takes another form
            if about_dtype(error):
                continue
            return None
        if not all(bool(each.values.isfinite().all() and each.slopes.isfinite().all()) for each in seen):
            return None  # other checks name what is not finite
        compared = table(bound, drawing)
        return None if compared is None else Written(compared, seen)
    return None


def _reached(bound: Bound, written: list[Written], until: float) -> Iterator[Found]:
    functions = functions_of(bound.build())
    edits = [(edit, function) for function in functions for edit in edits_of(function)]
    reads = {each.function: read_by(each.tree) for each in functions}
    for edit, function in sorted(edits, key=lambda each: each[0].kind):
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
                if values is not None and _plausible(function, read):
                    after = _around(edit)
                    undo()
                    yield _finding(bound, each, values, edit, function, after)
                    return
        finally:
            undo()


def _plausible(function: Function, read: set[str]) -> bool:
    """Whether the edited function still reads what it read, and subtracts nothing from itself."""
    if (read & function.given) - read_by(function.tree):
        return False
    pairs = (node for node in ast.walk(function.tree) if isinstance(node, ast.BinOp))
    return all(ast.dump(n.left) != ast.dump(n.right) or not isinstance(n.op, (ast.Sub, ast.Div)) for n in pairs)


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
    now: Any = getattr(place.parent, place.name)
    now = now if place.at is None else now[place.at]
    text = ast.unparse(now)
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
        _code(bound, written.table.tensors[at]),
        None,
        after,
    )


def _slopes(written: Tensor, formula: Tensor) -> dict[str, Any]:
    """The element of the gradient that differs most."""
    at = int((written - formula).abs().argmax())
    return {"gradient as written": float(written[at]), "gradient of the formula": float(formula[at])}


def _code(bound: Bound, tensors: dict[str, Any]) -> str:
    origin = bound.subject.origin
    made = {bound.names[role]: _written_as(each) for role, each in tensors.items()}
    call = f"print(criterion({bound.call_code(tensors)}))"
    construction = origin.construction(**bound.changed)
    functions = "import functools\n" if "functools." in construction else ""
    return script(f"{functions}import torch\n{origin.imports}", construction, made, (call,))


def _written_as(x: Any) -> str:
    if isinstance(x, (list, tuple)):
        return f"[{', '.join(map(_written_as, x))}]"
    return literal(x) if isinstance(x, Tensor) else repr(x)
