"""losskit compare, for the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from losskit.experiment.comparison import BUDGET
from losskit.experiment.comparison import compare as run_comparison
from losskit.experiment.progress import TerminalProgress
from losskit.experiment.results import Comparison
from losskit.experiment.tasks import NAMES
from losskit.experiment.tasks.task import InputError

if TYPE_CHECKING:
    from rich.table import Table

WIDTH_OF_FILES = 120  # columns of a table that goes to a file or a pipe
INTERRUPTED = 130  # as shells report Ctrl-C
DATA, TRAINING = "Your own data, or a built-in task", "How long and how"


def compare(
    losses: Annotated[
        str | None,
        typer.Option(
            help="Losses to compare, separated by commas: names, sums, and your own as file.py:name or module:Class."
            ' Default: some that people use for the task. Example: "dice, dice + 0.5 * bce, my.py:my_loss(a=2)".'
        ),
    ] = None,
    # --- task options
    task: Annotated[
        str | None,
        typer.Option(
            help=f"Built-in data: {', '.join(NAMES[:-1])} or {NAMES[-1]}. Default: {NAMES[0]}.", rich_help_panel=DATA
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
        typer.Option(help="Table of your data, its first line the names of the columns.", rich_help_panel=DATA),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column of the table that is to be predicted.", rich_help_panel=DATA)
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help="What belongs together, such as a patient: a column of the table, or a regular expression that finds "
            "it in file names. A group is never on both sides of a split.",
            rich_help_panel=DATA,
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="Your test data, if apart: a folder with images/ and masks/, or a table.", rich_help_panel=DATA
        ),
    ] = None,
    foreground: Annotated[
        float | None,
        typer.Option(help="scenes: share of an image that its digits cover, 0.005 to 0.4.", rich_help_panel=DATA),
    ] = None,
    empty: Annotated[
        float | None, typer.Option(help="scenes: share of images without a digit, 0 to 0.9.", rich_help_panel=DATA)
    ] = None,
    classes: Annotated[
        int | None, typer.Option(help="scenes: 1, or up to 11: background and digits.", rich_help_panel=DATA)
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
            help="Loss that gains are measured against; none leaves it out. Default: bce, ce or mse.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            help="Minutes. The report is there after the first block and improves until they are over. "
            f"Default: {BUDGET:g}, unless --blocks is given.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    blocks: Annotated[
        int | None,
        typer.Option(
            help="Measured trainings of each loss, each with a seed and a split of its own.", rich_help_panel=TRAINING
        ),
    ] = None,
    rates: Annotated[
        str | None,
        typer.Option(
            help='Learning rates that every loss is tried at, as in "0.001, 0.003, 0.01". Default: three around the '
            "task's own, and more where the best is at an edge.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Times through the training data. Default: the task's.", rich_help_panel=TRAINING),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Items a step. Default: the task's.", rich_help_panel=TRAINING)
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Trainings at a time. Default: one for each CPU core.", rich_help_panel=TRAINING)
    ] = None,
    patience: Annotated[
        float,
        typer.Option(
            help="Seconds without a finished training step after which a run is given up.", rich_help_panel=TRAINING
        ),
    ] = 60.0,
    limit: Annotated[
        float | None,
        typer.Option(
            help="Seconds that one run may take in all. Default: the budget, else an hour.", rich_help_panel=TRAINING
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results and the report.")] = Path("losskit-compare"),
) -> None:
    """Which loss is best for your data? Train the same model with each, at its own best learning rate, and see.

    Prints which losses cannot be told apart and writes report.html, one page that opens offline, and report.md. Every
    finished run is on disk: after Ctrl-C the same command goes on from there.

    Exit code 0: done; 1: every loss failed; 2: the request cannot be carried out.
    """
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_OF_FILES)
    try:
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
            baseline=baseline,
            blocks=blocks,
            budget=budget,
            rates=None if rates is None else numbers(rates),
            epochs=epochs,
            batch_size=batch_size,
            jobs=jobs,
            patience=patience,
            limit=limit,
            out=out,
            progress=TerminalProgress(console),
        )
    except (InputError, ImportError) as error:
        typer.echo(f"losskit compare: {error}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        typer.echo(f"Stopped. What is finished is in {out}; the same command goes on from there.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    ranked = {standing.loss for standing in comparison.ranking}
    for record in comparison.failures:
        if record["pilot"] and record["kind"] == "diverged" and record["loss"] in ranked:
            continue  # a rate that is too high is no failure of the loss
        where = "pilot" if record["pilot"] else f"block {record['block']}"
        typer.echo(f"{record['loss']}, {where}, at {record['rate']:g} failed: {record['failure']}", err=True)
    if comparison.ranking:
        console.print(table(comparison))
    for line in (comparison.verdict, *comparison.findings.cautions):
        console.print(line, markup=False, highlight=False)
    typer.echo(f"Report: {comparison.report}")
    if not comparison.ranking:
        raise typer.Exit(1)


def numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--rates are learning rates above 0, separated by commas; got {text!r}.") from error


def table(comparison: Comparison) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from losskit.experiment.statistics import number  # with scipy, which is an extra

    shown = [metric for metric in comparison.metrics if metric.key in TOLD or metric is comparison.findings.metric]
    result = Table(box=box.SIMPLE_HEAD)
    result.add_column("loss", overflow="fold")
    result.add_column("group")
    result.add_column("rate", justify="right")
    for metric in shown:
        result.add_column(metric.label, justify="right")
    for heading in ("ms a step", "the loss, ms"):
        result.add_column(heading, justify="right")
    for each in comparison.ranking:
        scores = [each.scores[metric.key] for metric in shown]
        result.add_row(
            Text(each.loss),
            each.letters,
            f"{each.rate:g}",
            *(Text("-" if s is None else number(s) if n == 0 else f"{s.mean:.3f}") for n, s in enumerate(scores)),
            f"{each.step_ms:.1f}",
            f"{each.loss_ms:.2f}",
        )
    blocks = comparison.findings.blocks
    result.caption = (
        f"Test data, {blocks} block{'s' if blocks != 1 else ''}: means, and the 95 % t interval of the first score. "
        "Losses that share a letter cannot be told apart."
    )
    result.caption_justify = "left"
    return result


TOLD = {  # beside the score that ranks
    "dice_at_half",
    "accuracy_at_half",
    "balanced_accuracy_at_half",
    "calibration_error",
    "empty_with_false_positive",
    "rmse",
    "r2",
}
