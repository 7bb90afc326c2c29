"""The command `losskit compare`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from losskit.experiment.comparison import BUDGET
from losskit.experiment.comparison import compare as run_comparison
from losskit.experiment.document import document
from losskit.experiment.progress import TerminalProgress
from losskit.experiment.results import Comparison, Interval
from losskit.experiment.tasks import NAMES
from losskit.experiment.tasks.task import InputError
from losskit.experiment.tour import tour
from losskit.experiment.verdict import about_numbers
from losskit.experiment.words import digits, gain
from losskit.version import INSTALL_COMPARE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTH = 80  # maximum columns of the table
WIDTH_OF_FILES = 120  # columns of a table written to a file or a pipe
INTERRUPTED = 130  # as shells report Ctrl-C
DATA, TRAINING = "Your own data, or a built-in task", "How long and how"


def compare(
    losses: Annotated[
        str | None,
        typer.Option(
            help="Losses to compare, separated by commas: names, sums, and your own as file.py:name or module:Class."
            ' Default: common losses for the task. Example: "dice, dice + 0.5 * bce, my.py:my_loss(a=2)".'
        ),
    ] = None,
    # --- task options
    task: Annotated[
        str | None,
        typer.Option(
            help=f"Built-in data: {', '.join(NAMES[:-1])} or {NAMES[-1]}. Default: a tour of four tasks.",
            rich_help_panel=DATA,
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of your images: png, jpg, tif, npy or NIfTI.", rich_help_panel=DATA)
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(help="Folder of their masks, with the same file names; values are classes.", rich_help_panel=DATA),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(help="CSV table of your data, with column names in the first line.", rich_help_panel=DATA),
    ] = None,
    target: Annotated[str | None, typer.Option(help="Column of the table to predict.", rich_help_panel=DATA)] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help="Group of each item, such as the patient: a column of the table, or a regular expression that matches "
            "it in file names. A group is never on both sides of a split.",
            rich_help_panel=DATA,
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="Your test data, if separate: a folder with images/ and masks/, or a table.", rich_help_panel=DATA
        ),
    ] = None,
    foreground: Annotated[
        float | None,
        typer.Option(help="scenes: share of an image covered by digits, 0.01 to 0.4.", rich_help_panel=DATA),
    ] = None,
    empty: Annotated[
        float | None, typer.Option(help="scenes: share of images without a digit, 0 to 0.9.", rich_help_panel=DATA)
    ] = None,
    classes: Annotated[
        int | None, typer.Option(help="scenes: 1 class, or up to 11: background and digits.", rich_help_panel=DATA)
    ] = None,
    # --- end of task options
    model: Annotated[
        str | None,
        typer.Option(
            help="Your model, my.py:make_model; called with channels= and classes= if it takes them. Default: a small "
            "U-Net or perceptron.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Loss against which gains are measured; none for no baseline. Default: bce, ce or mse.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            help="Maximum minutes; it stops once the result is decided. The report exists after the first block. "
            f"Default: {BUDGET:g}, unless --blocks is given; about 4 for the tour.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    blocks: Annotated[
        int | None,
        typer.Option(
            help="Fixed number of blocks, each with its own seed and split, without early stopping.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    rates: Annotated[
        str | None,
        typer.Option(
            help='Learning rates to try for every loss, as in "0.001, 0.003, 0.01". Default: three around the '
            "task's default, and more if the best is at an edge.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Epochs of training. Default: the task's.", rich_help_panel=TRAINING),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Items per step. Default: the task's.", rich_help_panel=TRAINING)
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Longest side of an image in pixels; larger images are scaled down. Default: 128, volumes 48.",
            rich_help_panel=DATA,
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="Losses that differ by less count as the same, in the unit of the score. Default: 0.02 of a share, "
            "2 % of an error.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Concurrent trainings. Default: one per CPU core, or worker.", rich_help_panel=TRAINING),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            help="Train on the workers of a cluster: dask or ray. All workers must be able to access --out.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Address of the cluster, such as tcp://scheduler:8786 for dask, or auto for ray. Default: one on this "
            "machine.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(
            help="Seconds without a finished training step after which a run is stopped.", rich_help_panel=TRAINING
        ),
    ] = 60.0,
    limit: Annotated[
        float | None,
        typer.Option(
            help="Maximum seconds of one run. Default: the budget, otherwise an hour.", rich_help_panel=TRAINING
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results and the report.")] = Path("losskit-compare"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, and progress to stderr.")] = False,
) -> None:
    """Find the best loss for your data: train the same model with each, at its own best learning rate.

    Without a task, data or losses, it runs a tour of four tasks, which shows when the loss matters. It prints the
    decision and writes report.html, one page that opens offline, and report.md. Every finished run is saved: after
    Ctrl-C, the same command continues from there.

    Exit code 0: done; 1: every loss failed; 2: the request cannot be carried out.
    """
    from rich.console import Console

    console = Console(stderr=as_json)
    if not console.is_terminal:
        console = Console(stderr=as_json, width=WIDTH_OF_FILES)
    progress = TerminalProgress(console)
    settings: dict[str, Any] = {
        "baseline": baseline,
        "blocks": blocks,
        "epochs": epochs,
        "batch_size": batch_size,
        "jobs": jobs,
        "backend": backend,
        "address": address,
        "patience": patience,
        "limit": limit,
        "margin": margin,
    }
    chosen = (task, images, masks, csv, target, groups, test, losses, model, baseline, foreground, empty, classes, size)
    try:
        settings["rates"] = None if rates is None else numbers(rates)
        if all(each is None for each in chosen):
            found = tour(budget=budget, out=out, progress=progress, **settings)
            finish(console, found, found[0].out.parent / "report.html", as_json=as_json)
            return
        comparison = run_comparison(
            losses,
            model,
            test=test,
            task=task,
            images=images,
            masks=masks,
            csv=csv,
            target=target,
            groups=groups,
            foreground=foreground,
            empty=empty,
            classes=classes,
            size=size,
            budget=budget,
            out=out,
            progress=progress,
            **settings,
        )
    except (InputError, ImportError) as error:
        needed = error.name if isinstance(error, ModuleNotFoundError) else None
        said = f"needs {needed}: {INSTALL_COMPARE}." if needed else error
        typer.echo(f"losskit compare: {said}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        typer.echo(f"Stopped. Finished runs are in {out}; the same command continues from there.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    finish(console, [comparison], comparison.report, as_json=as_json)


def finish(console: "Console", found: Sequence[Comparison], report: Path, *, as_json: bool) -> None:
    """Print the results and where the report is; exit with 1 if every loss failed."""
    if as_json:
        typer.echo(json.dumps(document(found, report), indent=2))
    elif len(found) == 1:
        show(console, found[0])
    else:
        show_tour(console, found)
    if not as_json:
        typer.echo(f"Report: {report}")
    if not any(comparison.ranking for comparison in found):
        raise typer.Exit(1)


def show(console: "Console", comparison: Comparison) -> None:
    """Print the decision, the numbers, and what to do next."""
    ranked = {standing.loss for standing in comparison.ranking}
    for record in comparison.failures:
        if record["role"] == "tuning" and record["kind"] == "diverged" and record["loss"] in ranked:
            continue  # a learning rate that is too high is not a failure of the loss
        where = f"block {record['block']}, {record['role']}"
        typer.echo(f"{record['loss']}, {where}, at {record['rate']:g} failed: {record['failure']}", err=True)
    console.print()
    console.print(comparison.verdict, style="bold", markup=False, highlight=False)
    if comparison.ranking:
        console.print(table(comparison, min(console.width, WIDTH)))
        for line in about_numbers(comparison.findings):
            console.print(line, markup=False, highlight=False)
    for line in (*comparison.findings.cautions, comparison.findings.advice):
        console.print(line, markup=False, highlight=False)


def show_tour(console: "Console", found: Sequence[Comparison]) -> None:
    for comparison in found:
        console.print()
        console.rule(comparison.task.name, align="left")
        show(console, comparison)
    console.print()
    for comparison in found:
        console.print(f"{comparison.task.name}: {comparison.verdict}", markup=False, highlight=False)


def numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--rates must be learning rates above 0, separated by commas; got {text!r}.") from error


def table(comparison: Comparison, width: int) -> "Table":
    """As many columns as fit; names are never broken."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    findings = comparison.findings
    first, others = findings.metrics[0], [metric for metric in findings.metrics[1:] if metric.short]
    name = max(len(each.loss) for each in findings.ranking)
    columns: list[tuple[str, list[str]]] = [
        ("group", [each.letters for each in findings.ranking]),
        (first.short or first.label, [shown(each.scores[first.key]) for each in findings.ranking]),
    ]
    if findings.baseline is not None:
        over = ["" if each.over_baseline is None else gain(each.over_baseline, first) for each in findings.ranking]
        columns.append((f"over {findings.baseline}", over))
    columns += [(m.short, [shown(each.scores[m.key]) for each in findings.ranking]) for m in others]
    columns += [
        ("rate", [f"{each.rate:.3g}" for each in findings.ranking]),
        ("ms/step", [f"{each.step_ms:.1f}" for each in findings.ranking]),
    ]
    result = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    result.add_column("loss", no_wrap=True, overflow="ignore", min_width=name)
    left = width - name - 3
    kept: list[list[str]] = []
    for heading, cells in columns:
        need = max(len(heading), *map(len, cells)) + 3  # with the space between columns
        if left >= need or len(kept) < 2:
            left -= need
            kept.append(cells)
            result.add_column(heading, justify="left" if heading == "group" else "right", no_wrap=True)
    for row, each in enumerate(findings.ranking):
        result.add_row(Text(each.loss), *(Text(cells[row]) for cells in kept))
    return result


def shown(score: Interval | None) -> str:
    return "-" if score is None else digits(score.mean)
