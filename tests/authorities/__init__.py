"""The authority of every loss, a module for each family of losskit/losses.

AUTHORITIES has a row for every loss; INPUTS one where its declaration does not tell how it is called.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from formulas import LabelFormula
from inputs import Case

AUTHORITIES: dict[str, list[Any]] = {}
INPUTS: dict[str, list[Any]] = {}

for _found in pkgutil.iter_modules(__path__):
    _family = importlib.import_module(f"authorities.{_found.name}")
    for _all, _own in ((AUTHORITIES, _family.AUTHORITIES), (INPUTS, getattr(_family, "INPUTS", {}))):
        assert not _all.keys() & _own.keys(), f"a loss is in {_family.__name__} and in another family"
        _all.update(_own)


def formula_of(case: Case) -> LabelFormula | None:
    """The formula in mpmath that a case of labels has."""
    found = (a for a in AUTHORITIES.get(case.entry.name, ()) if isinstance(a, LabelFormula) and a.covers(case))
    return next(found, None)
