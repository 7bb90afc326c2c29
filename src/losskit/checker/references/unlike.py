"""Losses that are no variant of the formula of their name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch

from losskit.checker.claims.text import text_of
from losskit.checker.origin import Origin
from losskit.checker.references.binding import EXAMPLES, Bound, Seen, bound_to
from losskit.checker.references.comparing import OTHER, Table, closest, table
from losskit.checker.references.reference import REFERENCES, Reference
from losskit.checker.subject import Subject
from losskit.checker.trial import about_dtype


@dataclass(frozen=True, eq=False)
class Written:
    """A loss as written, beside the variants of its formula."""

    table: Table
    seen: list[Seen]


@dataclass(frozen=True, eq=False)
class Unlike:
    """A loss that is no variant of a formula, in these forms of its tensors."""

    bound: Bound
    forms: list[Written]


@dataclass(frozen=True, eq=False)
class Compared:
    """The formula that a loss is, or those of its name that it is not."""

    formula: Reference | None
    unlike: Sequence[Unlike] = ()
    taken: frozenset[str] = frozenset()  # the arguments with which it is that formula


_KNOWN: WeakKeyDictionary[Origin, Compared] = WeakKeyDictionary()


def compared(subject: Subject) -> Compared:
    """A loss beside the formulas of its name."""
    if subject.origin not in _KNOWN:
        _KNOWN[subject.origin] = _compared(subject)
    return _KNOWN[subject.origin]


def unlike_its_formula(subject: Subject) -> Sequence[Unlike]:
    """The formulas of its name that a loss is not; none if it is one of them."""
    return compared(subject).unlike


def _compared(subject: Subject) -> Compared:
    text = text_of(subject.build(), subject.name.partition("(")[0])  # without its options
    kinds = [each for each in subject.origin.options.values() if isinstance(each, str) and len(each) > 3]
    kinds = [each.lower() for each in kinds if each not in ("mean", "none")]  # loss_type="giou"
    text = replace(text, names=" ".join([*kinds, text.names])) if kinds else text
    if not text.code:
        return Compared(None)
    others: list[Unlike] = []
    for reference in REFERENCES:
        bound = bound_to(subject, reference, text)
        forms = [] if bound is None else forms_of(bound)
        if bound is None or not forms:
            continue
        unlike = [each for each in forms if not is_formula(each, subject.name)]
        if not unlike or (len(unlike) < len(forms) and not reference.every):
            equal = [each for each in forms if each not in unlike]
            taken = {bound.names[role] for each in equal for role in each.table.tensors[0]}
            return Compared(reference, (), frozenset(taken))  # it is the formula, or nearly
        if reference.names(text):
            others.append(Unlike(bound, unlike))
    scheduled = text.says(_SCHEDULE) and re.search(r"step|epoch|iter", text.code) is not None
    return Compared(None, () if scheduled else others)  # a first call may leave a term out


_SCHEDULE = r"warm.?up|anneal|\bramps?\b|curriculum|cyclical"


def is_formula(written: Written, name: str) -> bool:
    """Whether a loss is a variant of the formula, or nearly; a measure may be its negative."""
    if closest(written.table, written.seen, OTHER) is not None:
        return True
    measure = re.search(r"loss|criterion|nll|objective|penalty", name.lower()) is None
    negated = [Seen(-each.values, -each.slopes) for each in written.seen]
    return measure and closest(written.table, negated, OTHER) is not None


def forms_of(bound: Bound) -> list[Written]:
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
