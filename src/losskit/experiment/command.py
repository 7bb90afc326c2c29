"""losskit compare, for the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from losskit.experiment.comparison import Comparison
from losskit.experiment.comparison import compare as run_comparison
from losskit.experiment.progress import TerminalProgress
from losskit.experiment.tasks import NAMES
from losskit.experiment.tasks.task import InputError

if TYPE_CHECKING:
    from rich.table import Table

WIDTH_OF_FILES = 120  # columns of a table that goes to a file or a pipe
INTERRUPTED = 130  # as shells report Ctrl-C


def compare(
    losses: Annotated[
        str | None,
        typer.Option(
            help="Losses to compare, separated by commas: names, sums, and your own as file.py:name or module:Class."
            ' Default: some that people use for the task. Example: "dice, dice + 0.5 * bce, my.py:my_loss(a=2)".'
        ),
    ] = None,
    task: Annotated[str | None, typer.Option(help=f"Built-in data: {' or '.join(NAMES)}. Default: {NAMES[0]}.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of your images: png, jpg, tif or npy.")] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Folder of their masks, with the same file names; values are classes.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each loss; each draws other data and another start.")] = 5,
    epochs: Annotated[int | None, typer.Option(help="Times through the training data. Default: the task's.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Trainings at a time. Default: one for each CPU core.")] = None,
    patience: Annotated[
        float, typer.Option(help="Seconds without a finished training step after which a run is given up.")
    ] = 120.0,
    out: Annotated[Path, typer.Option(help="Folder for the results and the report.")] = Path("losskit-compare"),
) -> None:
    """Which loss is best for your data? Train the same small model with each, and see.

    Prints a ranking with intervals and writes report.html, one page that opens offline. Every finished run is on disk:
    after Ctrl-C the same command goes on from there.

    Exit code 0: done; 1: every loss failed; 2: the request cannot be carried out.
    """
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_OF_FILES)
    try:
        comparison = run_comparison(
            losses,
            task=task,
            images=images,
            masks=masks,
            seeds=seeds,
            epochs=epochs,
            jobs=jobs,
            patience=patience,
            out=out,
            progress=TerminalProgress(console),
        )
    except (InputError, ImportError) as error:
        typer.echo(f"losskit compare: {error}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        typer.echo(f"Stopped. What is finished is in {out}; the same command goes on from there.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    for record in comparison.failures:
        typer.echo(f"{record['loss']}, seed {record['seed']} failed: {record['failure']}", err=True)
    if comparison.ranking:
        console.print(table(comparison))
    console.print(comparison.verdict, markup=False, highlight=False)
    typer.echo(f"Report: {comparison.report}")
    if not comparison.ranking:
        raise typer.Exit(1)


def table(comparison: Comparison) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from losskit.experiment.ranking import number

    result = Table(box=box.SIMPLE_HEAD)
    result.add_column("loss", overflow="fold")
    for metric in comparison.task.metrics:
        result.add_column(metric.label, justify="right")
    for heading in ("ms a step", "the loss, ms", "peak MiB"):
        result.add_column(heading, justify="right")
    for each in comparison.ranking:
        scores = [each.scores[metric.key] for metric in comparison.task.metrics]
        result.add_row(
            Text(each.loss),
            *(Text(number(score)) if score else "-" for score in scores),
            f"{each.step_ms:.1f}",
            f"{each.loss_ms:.2f}",
            f"{each.peak_memory_mib:.0f}" if each.peak_memory_mib else "-",
        )
    if comparison.seeds > 1:
        result.caption = f"mean and 95 % t interval over {comparison.seeds} seeds, on test data"
        result.caption_justify = "left"
    return result
