"""Findings: what a check saw, how severe it is, and the report made of them."""

from __future__ import annotations

import enum
import functools
import math
import platform
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from losskit.checker.spec import Spec
from losskit.version import __version__


@functools.total_ordering
class Severity(enum.Enum):
    """How severe a finding is, the worst first."""

    WRONG = "wrong"
    NO_GRADIENT = "no gradient"
    TRAP = "trap"
    PROPERTY = "property"
    COST = "cost"
    CONVENIENCE = "convenience"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)

    @property
    def about(self) -> str:
        return _ABOUT[self]

    def __lt__(self, other: Severity) -> bool:
        return self.rank < other.rank


_ABOUT = {
    Severity.WRONG: "the loss contradicts its own numbers, or valid input gives NaN",
    Severity.NO_GRADIENT: "a wrong prediction gets no gradient, so nothing is learned from it",
    Severity.TRAP: "invalid input gives a plausible number",
    Severity.PROPERTY: "a choice to know about",
    Severity.COST: "avoidable memory or time",
    Severity.CONVENIENCE: "a feature around training does not work",
}
FAULTS = (Severity.WRONG, Severity.NO_GRADIENT)

# Findings in which any check can end: why they matter, and what to look for.
ENDINGS = {
    "hangs": (
        "Training stops at the first batch like this one.",
        "Look for a loop that waits for a number to become small or equal: NaN and rounding keep it going.",
    ),
    "crashes": (
        "Training ends without an error message, and nothing is saved.",
        "Look for compiled code that reads outside its tensors, and for exit() where an exception belongs.",
    ),
    "eats-memory": (
        "Training ends with an out-of-memory error that no smaller batch avoids.",
        "Look for a tensor that grows with the square of the input, or is kept from call to call.",
    ),
}


@dataclass(frozen=True)
class Found:
    """What a check yields: a statement, the numbers that show it, and code that reproduces it."""

    what: str
    evidence: str | Mapping[str, Any] = ""
    repro: str = ""  # at most ten self-contained lines
    severity: Severity | None = None  # if it is not that of the check
    fix: str = ""  # if it is not that of the check


@dataclass(frozen=True)
class Finding:
    """One finding about a loss, with its consequences."""

    check: str
    severity: Severity
    what: str
    evidence: str | Mapping[str, Any] = ""
    repro: str = ""
    why: str = ""
    fix: str = ""
    causes: tuple[str, ...] = ()  # ids of the checks whose findings cause this one
    consequences: tuple[Finding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        said = self.evidence
        if isinstance(said, Mapping):  # JSON has no NaN
            said = {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in said.items()}
        return {
            "check": self.check,
            "severity": self.severity.value,
            "what": self.what,
            "evidence": said,
            "repro": self.repro,
            "why": self.why,
            "fix": self.fix,
            "causes": list(self.causes),
            "consequences": [each.to_dict() for each in self.consequences],
        }


def plain(evidence: Any) -> Any:
    """Evidence reduced to numbers, text, and lists and dicts of them."""
    if isinstance(evidence, Mapping):
        return {str(name): plain(value) for name, value in evidence.items()}
    if isinstance(evidence, (list, tuple)):
        return [plain(each) for each in evidence]
    return evidence if isinstance(evidence, (bool, int, float, str)) else str(evidence)


@dataclass(frozen=True)
class Outcome:
    """How one check ended."""

    check: str
    status: str  # passed, found, waived, not applicable, refused, failed, hangs, crashes, memory, not run
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Waived:
    """A check that is ignored for a loss, and why."""

    check: str
    reason: str
    findings: tuple[Finding, ...]  # empty: the check found nothing


@dataclass(frozen=True)
class Report:
    """The findings about a loss, and how each check ended."""

    loss: str
    spec: Spec | None
    findings: tuple[Finding, ...]  # the worst first, consequences below their causes
    outcomes: tuple[Outcome, ...] = ()
    waived: tuple[Waived, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Finding]:
        """Every finding and consequence, causes before consequences."""
        for finding in self.findings:
            yield from _flat(finding)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, check: str) -> list[Finding]:
        """The findings of one check."""
        return [finding for finding in self if finding.check == check]

    def of(self, *severities: Severity) -> list[Finding]:
        return [finding for finding in self if finding.severity in severities]

    def with_status(self, status: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status == status]

    def exit_code(self, strict: bool = False) -> int:
        """1 if something is wrong or gives no gradient; with `strict` also for a trap."""
        counted = (*FAULTS, Severity.TRAP) if strict else FAULTS
        return int(any(finding.severity in counted for finding in self))

    @property
    def verdict(self) -> str:
        """One sentence: whether the loss is sound, and the number of findings."""
        counts = {severity: len(self.of(severity)) for severity in Severity}
        ran = len(self.outcomes) - len(self.with_status("not applicable")) - len(self.with_status("not run"))
        checks = f"{ran} {'check' if ran == 1 else 'checks'} ran"
        found = ", ".join(_count(severity, n) for severity, n in counts.items() if n)
        waived = sum(bool(each.findings) for each in self.waived)
        checks += f", {waived} waived" if waived else ""
        if any(counts[severity] for severity in FAULTS):
            return f"{self.loss}: FAULTY. {found} ({checks})."
        if counts[Severity.TRAP]:
            return f"{self.loss}: correct on valid input; {found} ({checks})."
        return f"{self.loss}: no fault found{'; ' + found if found else ''} ({checks})."

    def to_dict(self) -> dict[str, Any]:
        return {
            "loss": self.loss,
            "verdict": self.verdict,
            "spec": None if self.spec is None else self.spec.to_dict(),
            "findings": [finding.to_dict() for finding in self.findings],
            "checks": [
                {"check": o.check, "status": o.status, "reason": o.reason, "seconds": round(o.seconds, 3)}
                for o in self.outcomes
            ],
            "waived": [
                {"check": w.check, "reason": w.reason, "findings": [f.to_dict() for f in w.findings]}
                for w in self.waived
            ],
            "notes": list(self.notes),
            "seconds": round(self.seconds, 2),
            "versions": dict(self.versions),
        }

    def __str__(self) -> str:
        return as_text(self)


def _flat(finding: Finding) -> Iterator[Finding]:
    yield finding
    for each in finding.consequences:
        yield from _flat(each)


def _count(severity: Severity, n: int) -> str:
    plural = {Severity.TRAP: "traps", Severity.PROPERTY: "properties", Severity.COST: "costs"}
    return f"{n} {plural.get(severity, severity.value) if n > 1 else severity.value}"


def under_causes(findings: list[Finding], order: list[str]) -> tuple[Finding, ...]:
    """The worst first, each consequence under the first of its causes that was found."""
    # NaN of bfloat16 alone, a trap, explains no fault.
    found = {f.check for f in findings if f.check != "not-finite" or f.severity in FAULTS}
    left = [replace(f, causes=tuple(c for c in f.causes if c in found and c != f.check)) for f in findings]
    places = {check: n for n, check in enumerate(order)}

    def place(finding: Finding) -> tuple[int, bool, bool, int, int]:
        worst = min(each.severity for each in _flat(finding))
        explained = sum(each.severity in FAULTS for each in _flat(finding))
        rank, usual = 0 if worst in FAULTS else worst.rank, finding.check in USUAL
        numbers = finding.check != "not-finite"  # NaN is certain, and worse than another number
        return rank, usual, numbers, -explained, places.get(finding.check, len(places))

    def grown(finding: Finding) -> Finding:
        left.remove(finding)
        inner = []
        while below := [each for each in left if each.causes[:1] == (finding.check,)]:
            inner.append(grown(below[0]))
        return replace(finding, consequences=tuple(sorted(inner, key=place)))

    roots = []
    while left:  # mutual causes have no root: the worst of them is taken as root
        without = [each for each in left if not each.causes] or left
        roots.append(grown(min(without, key=place)))
    return tuple(sorted(roots, key=place))


def report_of(
    name: str,
    spec: Spec | None,
    outcomes: Sequence[Outcome],
    waive: Mapping[str, str],
    seconds: float = 0.0,
    notes: Sequence[str] = (),
) -> Report:
    """The report made of the outcomes of checks."""
    found = [finding for outcome in outcomes for finding in outcome.findings]
    asked = {outcome.check for outcome in outcomes} | {finding.check for finding in found}
    waived = tuple(
        Waived(id, why, tuple(f for f in found if f.check == id)) for id, why in waive.items() if id in asked
    )
    left = [_under_root(finding, found) for finding in _once(found) if finding.check not in waive]
    shown = [
        replace(o, status="waived", reason=waive[o.check]) if o.check in waive and o.status == "found" else o
        for o in outcomes
    ]
    order = [*ENDINGS, *dict.fromkeys(outcome.check for outcome in outcomes)]
    return Report(name, spec, under_causes(left, order), tuple(shown), waived, tuple(notes), seconds, versions())


# Found in almost every formula of elements, or in code that is copied, so what else is found says more about the loss.
USUAL = ("broadcasts", "unread-argument")

# Faults that explain others, the deepest first: any other finding may follow from them.
ROOTS = (
    *(
        "no-graph",
        "misused-function",
        "samples-crossed",
        "one-edit-from-formula",
        "copied-unchanged",
        "contradicts-claim",
        "differs-from-name",
        "departs-from-formula",
    ),
    *("mixed-derivatives", "rewards-errors"),
    *("wrong-dimension", "activated-twice"),
    *("keeps-graph", "has-memory", "changes-inputs", "changes-grad-mode"),
)


def _under_root(finding: Finding, found: Sequence[Finding]) -> Finding:
    """A fault with the root that was found before its other causes."""
    if finding.severity not in FAULTS:
        return finding
    there = {each.check for each in found if each.severity in FAULTS}
    above = ROOTS[: ROOTS.index(finding.check)] if finding.check in ROOTS else ROOTS
    return replace(finding, causes=(*(root for root in above if root in there), *finding.causes))


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """A loss that hangs does so in many checks: only the first is reported."""
    kept: list[Finding] = []
    for finding in findings:
        if finding.check not in ENDINGS or all(finding.check != each.check for each in kept):
            kept.append(finding)
    return kept


def versions() -> dict[str, str]:
    """The versions that the numbers depend on."""
    return {"losskit": __version__, "torch": torch.__version__, "python": platform.python_version()}


# As text, for terminals without colour, logs and failed tests.

WIDTH = 100


def as_text(report: Report, verbose: bool = False) -> str:
    """The verdict, then the findings, root causes before their consequences."""
    lines = [report.verdict]
    if report.spec is not None:
        lines.append(f"Tested as: {report.spec}.")
    lines += report.notes
    for finding in report.findings:
        lines += ["", *_lines(finding)]
    for waived in report.waived:
        unneeded = "" if waived.findings else " (not needed: nothing was found)"
        lines += ["", f"waived: {waived.check}: {waived.reason}{unneeded}"]
    if verbose:
        lines += ["", *(f"{o.check}: {o.status}{': ' + o.reason if o.reason else ''}" for o in report.outcomes)]
    return "\n".join(lines)


def _lines(finding: Finding, depth: int = 0) -> Iterator[str]:
    indent = "  " * depth
    yield from _wrapped(f"{finding.severity.value.upper()}  {finding.what}  [{finding.check}]", indent, indent + "  ")
    for name, text in (("seen", said(finding.evidence)), ("why", finding.why), ("fix", finding.fix)):
        if text:
            yield from _wrapped(f"{name}: {text}", indent + "  ", indent + "       ")
    if finding.repro:
        yield f"{indent}  try:"
        yield from (f"{indent}    {line}" for line in finding.repro.splitlines())
    for each in finding.consequences:
        yield f"{indent}  consequences:"
        yield from _lines(each, depth + 1)


def _wrapped(text: str, first: str, then: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=then, break_long_words=False)


def said(evidence: str | Mapping[str, Any]) -> str:
    """Evidence as one line."""
    if isinstance(evidence, Mapping):
        return ", ".join(f"{name} {number(value)}" for name, value in evidence.items())
    return evidence


def number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
