"""Kinds: losses that are recognised by their words and called as concluded, and what each kind obeys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from losskit.checker import examples
from losskit.checker.finding import Found, Severity
from losskit.checker.origin import CannotRebuild
from losskit.checker.registry import check
from losskit.checker.subject import LossRaised, Subject
from losskit.checker.trial import TooLong, within

Look = Callable[[Subject], Iterator[Found]]


@dataclass(frozen=True)
class Kind:
    """One kind of loss: how it is recognised, and a function that yields what contradicts it."""

    says: str  # a pattern in the names or the documentation
    look: Look
    code: str = ""  # a pattern in the code that says it too

    def claimed_by(self, subject: Subject) -> bool:
        words = subject.words
        said = bool(self.says) and re.search(self.says, words.all) is not None
        return said or (bool(self.code) and re.search(self.code, words.code) is not None)


_SECONDS = 2.0  # of CPU for one kind

KINDS: list[Kind] = []


def taken_as(subject: Subject, key: tuple[str, str, str]) -> Subject:
    """The loss called with the tensors of another form, whatever was concluded from trial calls."""
    kind, scores, layout = key
    labels = kind in ("binary", "multilabel", "multiclass") or layout == "next"
    way = replace(subject.spec.way, last=False, labels=labels)
    names = examples.tensors_of(*key)
    spec = replace(subject.spec, kind=kind, scores=scores, layout=layout, tensors=names, spatial=(), way=way)
    spec = replace(spec, spatials=((),), softmax=False, classes=1 if kind == "binary" else spec.classes)
    return Subject(subject.origin, spec)


def kind(says: str, code: str = "") -> Callable[[Look], Look]:
    """Register what contradicts a claim; `says` and `code` are patterns in lower case."""

    def enter(look: Look) -> Look:
        KINDS.append(Kind(says, look, code))
        return look

    return enter


@check(
    "contradicts-claim",
    Severity.WRONG,
    why="It trains something else than its name or its documentation says.",
    fix="Change the line that computes this, or the name if another loss is meant.",
    consequence_of=("no-graph",),
    anyhow=True,
    assumes=True,
)
def contradicts_claim(subject: Subject) -> Iterator[Found]:
    """Does the loss obey what every loss of its name obeys?"""
    for each in KINDS:
        if not each.claimed_by(subject):
            continue
        try:
            with within(_SECONDS):
                found = next(iter(each.look(subject)), None)
        except (LossRaised, CannotRebuild, TooLong, MemoryError):
            continue  # its tensors were too large for a loss of all permutations, say
        if found is not None:
            yield found
            return
