"""Every way of calling every loss of the catalogue.

The calls follow from the declaration of a loss, or from INPUTS in its family's module of tests/authorities/.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from authorities import INPUTS
from inputs import Case, declared
from losskit.core.catalogue import Entry, entries
from losskit.core.loss import Loss
from losskit.core.options import REQUIRED
from losskit.core.summable import Summable


def cases_of(entry: Entry) -> list[Case]:
    rows = INPUTS.get(entry.name, declared(entry))
    if rows is None:
        raise LookupError(
            f"{entry.name} has no inputs to be tested with: its declaration does not tell them. Add a row "
            f'"{entry.name}": [row(...)] to INPUTS in tests/authorities/{entry.family}.py.'
        )
    return [row(entry) for row in rows]


def made(entry: Entry, classes: int = 3) -> Loss:
    """The loss with default options, and the required options of its first case for this number of classes."""
    required = {name for name, declared in entry.loss.options.items() if declared.default is REQUIRED}
    given = cases_of(entry)[0].options if required else {}
    named = {name: value for name, value in given.items() if name in required}
    return entry.loss(**{name: of_classes(value, classes) for name, value in named.items()}).eval()


def of_classes(value: Any, classes: int) -> Any:
    """An option of numbers per class, or per pair of classes, cut to the first classes."""
    if not isinstance(value, list):
        return value
    return [of_classes(each, classes) for each in value[:classes]]


ENTRIES = [e for e in entries() if e.family != "your own"]
CASES = [case for entry in ENTRIES for case in cases_of(entry)]


def where(condition: Callable[[Case], bool]) -> list[Case]:
    return [case for case in CASES if condition(case)]


def one_each() -> list[Case]:
    """One case per loss, for slow tests."""
    return list({case.entry.name: case for case in reversed(CASES)}.values())[::-1]


# Losses whose inputs are not plain tensors: an INPUTS row without cases, and separate tests.
ELSEWHERE = {entry.name for entry in ENTRIES} - {case.entry.name for case in CASES}
LABELLED = where(lambda case: case.labels)
ADDITIVE = where(lambda case: issubclass(case.loss, Summable))
ELEMENTWISE = where(lambda case: case.mean and not case.region)
