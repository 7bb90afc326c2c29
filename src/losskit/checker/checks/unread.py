"""Unread arguments: accepted by the call or the constructor, and mentioned in no line of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import nn

from losskit.checker.calling import NUMBER
from losskit.checker.checks.dead import dead_options, may_be_read, unread_arguments
from losskit.checker.checks.tools import code, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.subject import Subject


@check(
    "unread-argument",
    Severity.WRONG,
    why="Someone sets it, sees no error, and believes that it works.",
    fix="Use the argument or delete it.",
    consequence_of=("no-graph",),
)
def unread_argument(subject: Subject) -> Iterator[Found]:
    """Does the code mention every argument that it accepts?"""
    tensors = subject.example(batch=3)
    found = tried(value, subject, *tensors)
    if found is None:
        return
    for name, grade in _unread(subject):
        what = f"{name} is accepted, and no line of the code reads it"
        yield Found(what, {"value": found}, code(subject, *tensors), grade)


def _unread(subject: Subject) -> Iterator[tuple[str, Severity | None]]:
    """The arguments, and a grade for those that may be there on purpose."""
    criterion, origin = subject.build(), subject.origin
    yield from ((name, None) for name in unread_arguments(criterion)[:1])
    for extra in subject.spec.way.extras:
        if extra.sort == NUMBER and extra.value is None:
            name = extra.name
            described = bool(subject.words.clauses.get(name)) and not re.search(_COUNTS, name.lower())
            yield name, Severity.TRAP if _by_interface(subject) or described else None  # a formula may not need it
    given = getattr(origin, "given", {})
    for option in sorted(dead_options(criterion)):
        default = origin.options.get(option, 0)
        if (default is None or isinstance(default, str)) and option not in given and may_be_read(option):
            yield option, None


_COUNTS = r"weight|mask|valid|target|label|pred|input|output|prob|logit|true|lengths?|margin|temp|alpha|gamma"
_ON_PURPOSE = r"unused|not used|ignored|only (care|use|need)|not needed|same (signature|interface)"


def _by_interface(subject: Subject) -> bool:
    """Whether an argument may be there because all losses of a project take it."""
    kind = type(subject.build())
    derived = issubclass(kind, nn.Module) and kind.__bases__ != (nn.Module,)
    return derived or re.search(_ON_PURPOSE, subject.words.code) is not None
