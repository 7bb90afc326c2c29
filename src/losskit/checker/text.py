"""The report as plain text, for terminals without colour, logs and failed tests."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from losskit.checker.finding import Finding, Report

WIDTH = 100


def as_text(report: Report, verbose: bool = False) -> str:
    """The verdict first, then what was found, the root causes with their consequences under them."""
    lines = [report.verdict]
    if report.spec is not None:
        lines.append(f"Taken for: {report.spec}.")
    lines += report.notes
    for finding in report.findings:
        lines += ["", *_finding(finding)]
    for waived in report.waived:
        unneeded = "" if waived.findings else " (nothing was found here)"
        lines += ["", f"waived: {waived.check}: {waived.reason}{unneeded}"]
    if verbose:
        lines += ["", *(f"{o.check}: {o.status}{': ' + o.reason if o.reason else ''}" for o in report.outcomes)]
    return "\n".join(lines)


def _finding(finding: Finding, depth: int = 0) -> Iterator[str]:
    indent = "  " * depth
    yield from _wrapped(f"{finding.severity.value.upper()}  {finding.what}  [{finding.check}]", indent, indent + "  ")
    for name, text in (("seen", said(finding.evidence)), ("why", finding.why), ("fix", finding.fix)):
        if text:
            yield from _wrapped(f"{name}: {text}", indent + "  ", indent + "       ")
    if finding.repro:
        yield f"{indent}  try:"
        yield from (f"{indent}    {line}" for line in finding.repro.splitlines())
    for each in finding.consequences:
        yield f"{indent}  which causes:"
        yield from _finding(each, depth + 1)


def _wrapped(text: str, first: str, then: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=then, break_long_words=False)


def said(evidence: str | Mapping[str, Any]) -> str:
    """Evidence as one line."""
    if isinstance(evidence, Mapping):
        return ", ".join(f"{name} {number(value)}" for name, value in evidence.items())
    return evidence


def number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
