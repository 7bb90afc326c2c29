"""The report for readers: in the terminal, and as one page of HTML."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from losskit.checker.finding import FAULTS, Finding, Outcome, Report, Severity, said
from losskit.checker.registry import OF_BATCH

SIGNS = {
    Severity.WRONG: ("✗", "bold red"),
    Severity.NO_GRADIENT: ("✗", "bold red"),
    Severity.TRAP: ("!", "bold yellow"),
    Severity.PROPERTY: ("i", "cyan"),
    Severity.COST: ("i", "cyan"),
    Severity.CONVENIENCE: ("i", "cyan"),
}
_LED = 6  # columns of the heading before each text


def show(report: Report, console: Console, verbose: bool = False) -> None:
    """Print a report: the verdict, faults and traps in full, other findings in a line each."""
    console.print(_verdict(report))
    for line in taken(report):
        console.print(Text(line, style="dim"))
    full = [f for f in report.findings if verbose or f.check in OF_BATCH or worst(f) in (*FAULTS, Severity.TRAP)]
    for finding in full:
        console.print()
        _show(finding, console)
    brief = [finding for finding in report.findings if finding not in full]
    if brief:
        console.print(Text("\nOther findings (--verbose for details):", style="bold"))
        for finding in brief:
            console.print(_indented(_headline(finding), 2))
    for waived in report.waived:
        needless = "" if waived.findings else " (not needed: nothing was found)"
        console.print(Text.assemble(("\nwaived ", "bold"), f"{waived.check}: {waived.reason}{needless}"))
    for outcome in report.with_status("failed"):
        said_of_it = f"\nThe check {outcome.check} could not run because of a bug in it{reason(outcome)}."
        console.print(Text(said_of_it, style="yellow"))
    if verbose:
        console.print(Text("\nEvery check", style="bold"))
        for outcome in report.outcomes:
            console.print(_indented(Text(f"{outcome.check}: {outcome.status}{reason(outcome)}"), 2))
    console.print(Text(f"\n{tally(report)}", style="dim"))


def taken(report: Report) -> list[str]:
    """What the loss was tested as, and what else it accepts."""
    lines = list(report.notes)
    if report.spec is not None:
        spec = report.spec
        lines.insert(0, f"Tested as: {spec}. To change: --kind, --scores, --target.")
        if spec.also:
            ways = "; ".join(f"--kind {kind} --scores {scores} --target {target}" for kind, scores, target in spec.also)
            lines.insert(1, f"It also accepts these forms, not tested here: {ways}.")
    return lines


def tally(report: Report) -> str:
    """How the checks ended, in one line."""
    counts = Counter(outcome.status for outcome in report.outcomes)
    names = {"not applicable": "not applicable", "refused": "refused by the loss", "failed": "could not run"}
    ended = ", ".join(f"{n} {names.get(status, status)}" for status, n in counts.most_common())
    checks = "1 check" if len(report.outcomes) == 1 else f"{len(report.outcomes)} checks"
    return f"{checks} in {report.seconds:.0f} s: {ended}."


def reason(outcome: Outcome) -> str:
    return f" ({outcome.reason.splitlines()[0]})" if outcome.reason else ""


def _verdict(report: Report) -> Text:
    gravest = min((finding.severity for finding in report), default=Severity.CONVENIENCE)
    return Text(report.verdict, style=SIGNS[gravest][1] if gravest <= Severity.TRAP else "bold green")


def worst(finding: Finding) -> Severity:
    """The worst severity of a finding and its consequences."""
    return min([finding.severity, *map(worst, finding.consequences)])


def _headline(finding: Finding) -> Text:
    sign, style = SIGNS[finding.severity]
    named = (f"  {finding.check}", "dim")
    return Text.assemble((f"{sign} {finding.severity.value.upper()}  ", style), finding.what, named)


def _show(finding: Finding, console: Console, depth: int = 0) -> None:
    console.print(_indented(_headline(finding), depth))
    for name, text in (("seen", said(finding.evidence)), ("why", finding.why), ("fix", finding.fix)):
        if text:
            console.print(_indented(_led(name, text), depth + 2))
    if finding.repro:
        console.print(_indented(Text("try", style="bold"), depth + 2))
        code = Syntax("", "python", theme="ansi_light", background_color="default").highlight(finding.repro)
        for line in code.split("\n"):
            console.print(Text(" " * (depth + 2 + _LED)) + line, soft_wrap=True)  # unwrapped, so that it can be copied
    for each in finding.consequences:
        console.print(_indented(Text("consequences:", style="bold"), depth + 2))
        _show(each, console, depth + 4)


def _indented(shown: RenderableType, by: int) -> RenderableType:
    return Padding(shown, (0, 0, 0, by), expand=False) if by else shown


def _led(name: str, text: str) -> RenderableType:
    table = Table.grid(padding=0)
    table.add_column(width=_LED, style="bold")
    table.add_column()
    table.add_row(name, Text(text))
    return table


def _options_whole(line: str) -> Markup:
    """A line whose --options do not break after their dashes."""
    return Markup(re.sub(r"--[a-z-]+", r'<span class="option">\g<0></span>', str(escape(line))))  # noqa: S704 - escaped


def write_page(report: Report, path: Path) -> None:
    """Write one self-contained page, which opens without a network."""
    environment = Environment(
        loader=PackageLoader("losskit.checker"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["said"] = said
    environment.filters["options"] = _options_whole
    page = environment.get_template("check.html").render(
        report=report,
        taken=taken(report),
        tally=tally(report),
        signs={severity: sign for severity, (sign, _) in SIGNS.items()},
        severities=list(Severity),
        faults=(*FAULTS, Severity.TRAP),
        worst=worst,
    )
    path.write_text(page, encoding="utf-8")
