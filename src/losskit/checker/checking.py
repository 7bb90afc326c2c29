"""`check`: from a loss to a report."""

from __future__ import annotations

import contextlib
import functools
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

import torch
from torch import nn

from losskit.checker import worker
from losskit.checker.children import Child, forked, spawned
from losskit.checker.finding import FAULTS, Finding, Outcome, Report, report_of
from losskit.checker.isolation import DEFAULT_MEMORY, DEFAULT_SECONDS, Ended, Isolated, can_fork
from losskit.checker.origin import origin_of
from losskit.checker.registry import Check
from losskit.checker.spec import Spec, Unsure
from losskit.checker.stated import Stated
from losskit.checker.user_batch import subject_of
from losskit.checker.user_call import Example, example_of

Progress = Callable[[str, int, int], None]  # the check that starts, its number, and the total

_TRACE = ("compile", "export", "forward-mode")
_NOT_ISOLATED = "Checked in this process: a loss that hangs or crashes would have ended it."


def check(
    criterion: Any,
    *arguments: Any,
    select: Sequence[str] = (),
    waive: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    kind: str | None = None,
    scores: str | None = None,
    layout: str | None = None,
    classes: int | None = None,
    shape: Sequence[int] | None = None,
    batch: str | None = None,
    example: Example | None = None,
    isolate: bool | Literal["fork"] | None = None,
    time_limit: float = DEFAULT_SECONDS,
    memory_limit: int | None = DEFAULT_MEMORY,
    progress: Progress | None = None,
) -> Report:
    """Find what is wrong with a loss, whoever wrote it; the report prints, iterates and has an exit code.

    `criterion` is a module, a function, or text: `my_losses.py:my_dice`, `torch.nn:BCELoss`, `focal(gamma=2)`;
    `options` go to the constructor of a loss given by its path. With the arguments of a call, input and target
    first (or `batch`, the path of a file that contains them), the checks are about this batch: why does my loss not go
    down?

    Trial calls determine what the loss takes, with the shapes and ranges of `example`: a function, or the path of one
    (`my.py:make_batch`), that returns the arguments of one call as a tuple, as a dict of arguments by name, or as
    `(tuple, dict)`. `kind`, `scores`, `layout`, `classes` and `shape`
    (the spatial sizes) set it instead. `select` names the checks to run; `waive` maps the checks to ignore to the
    reasons. Checks run in another process, so that a loss that hangs, crashes or exhausts memory ends only its own
    check, with a finding; `isolate=False` runs them in this process. A loss given by its path is imported in a new
    interpreter, or, with `isolate="fork"`, in a copy of this process, which need not import PyTorch again.

    Raises `Unsure` if it cannot be determined what the loss takes.
    """
    from losskit.checker import battery  # imports every check, which `losskit --help` does not need

    waive = dict(waive or {})
    battery.require_waivers(waive)
    given: Any = arguments or batch
    shown = example if example is None or isinstance(example, str) else example_of(example)
    asked = battery.selected(select, given is not None)
    said = asdict(Stated(kind, scores, layout, classes, None if shape is None else tuple(shape)))
    started = _counted(progress, len(asked))
    began = time.monotonic()
    text = isinstance(criterion, str)
    notes: list[str] = []
    if isolate is False or (not text and not can_fork()):
        subject = subject_of(origin_of(criterion, options), given, shown, said)
        outcomes = list(battery.here(subject)(asked, started))
        taken: Spec | None = subject.spec
        name = subject.name
        notes += [] if isolate is False else [_NOT_ISOLATED]
    else:
        request = {"said": dict(said), "batch": given, "example": shown, "memory": memory_limit}
        runner = _runner(criterion, options, request, time_limit, forks=isolate == "fork" and can_fork())
        try:
            outcomes = list(runner(asked, started))
        except Ended as error:
            outcomes = _ended_before_checks(error.finding, asked)
        except Unsure as error:
            outcomes = list(runner.seen)
            if not any(finding.severity in FAULTS for outcome in outcomes for finding in outcome.findings):
                raise
            notes.append(f"Unsure what the loss takes: only the checks that do not depend on it ran. {error}")
        name, taken = runner.name, runner.spec
    return report_of(name, taken, outcomes, waive, time.monotonic() - began, notes)


def _runner(
    criterion: Any, options: Mapping[str, Any] | None, asked: Mapping[str, Any], seconds: float, *, forks: bool
) -> Isolated:
    def request(ids: Sequence[str]) -> dict[str, Any]:
        return {**asked, "checks": list(ids), "spec": runner.spec}

    if isinstance(criterion, str) and (asked["batch"] is None or isinstance(asked["batch"], str)):
        own = {"loss": criterion, "options": dict(options or {})}

        def load(ids: Sequence[str]) -> Child:
            whole = {**request(ids), **own}
            return forked(functools.partial(worker.load, whole)) if forks else spawned(worker.__name__, whole)

        runner = Isolated(load, seconds, name=criterion)
    else:
        origin = origin_of(criterion, options)

        def start(ids: Sequence[str]) -> Child:
            if any(each in _TRACE for each in ids):
                _import_tracers()
            return forked(lambda reply: worker.begin(reply, request(ids), lambda: origin))

        runner = Isolated(start, seconds, name=origin.name)
    return runner


@functools.cache
def _import_tracers() -> None:
    """Import what tracing a loss takes, which is slow, once for all processes that are forked from this one."""
    zero = torch.zeros(1)
    with contextlib.suppress(Exception), warnings.catch_warnings():  # the checks report what fails
        warnings.simplefilter("ignore")
        torch.compile(nn.Identity(), fullgraph=True, backend="eager")(zero)
        torch.export.export(nn.Identity(), (zero,), strict=False)
        torch.func.jvp(torch.sin, (zero,), (zero,))


def _counted(progress: Progress | None, total: int) -> Callable[[str], None]:
    count = 0

    def started(id: str) -> None:
        nonlocal count
        count += 1
        if progress is not None:
            progress(id, count, total)

    return started


def _ended_before_checks(finding: Finding, asked: Sequence[Check]) -> list[Outcome]:
    """The outcomes of a loss that ended its process before any check."""
    first = Outcome(finding.check, "found", finding.what, (finding,))
    return [first, *(Outcome(each.id, "not run", "the loss had already ended its process") for each in asked)]
