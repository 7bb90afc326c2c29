"""Reading the code of losses, without running it: what trial calls cannot show, with line numbers."""

from __future__ import annotations

import ast
import time
from collections.abc import Mapping
from pathlib import Path

from losskit.checker.finding import Finding, Outcome, Report, report_of
from losskit.checker.functions import functions_of
from losskit.checker.readings import READINGS as READINGS


def read(path: Path, waive: Mapping[str, str] | None = None) -> Report:
    """The findings in the code of a file, read as text: nothing in it is imported or run."""
    began = time.monotonic()
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{path} is not valid Python: {error}") from error
    functions = list(functions_of(tree))
    outcomes = []
    for reading in READINGS.values():
        found = tuple(
            Finding(
                reading.id,
                reading.severity,
                f"{path.name}, line {seen.line}, in {function.name}: {seen.what}",
                _line(path, seen.line),
                "",
                reading.why,
                reading.fix,
            )
            for function in functions
            for seen in reading.look(function)
        )
        outcomes.append(Outcome(reading.id, "found" if found else "passed", "", found))
    notes = [f"Read {len(functions)} functions as text; nothing was run."]
    return report_of(path.name, None, outcomes, dict(waive or {}), time.monotonic() - began, notes)


def _line(path: Path, number: int) -> str:
    return path.read_text(encoding="utf-8").splitlines()[number - 1].strip()
