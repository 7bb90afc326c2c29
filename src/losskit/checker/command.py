"""The command `losskit check`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from losskit.building.references import losses_in
from losskit.checker.checking import check as run_check
from losskit.checker.finding import Report
from losskit.checker.isolation import DEFAULT_SECONDS
from losskit.checker.origin import with_hint
from losskit.checker.spec import KINDS, LAYOUTS, SCORES, Unsure
from losskit.checker.waivers import waivers_for

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_OF_FILES = 110  # columns of a report written to a file or a pipe
INTERRUPTED = 130  # as shells report Ctrl-C
CANNOT = 2


def check(
    loss: Annotated[
        str | None,
        typer.Argument(
            metavar="LOSS",
            help="The loss: file.py:name, package.module:Name, or the name of a losskit loss.",
            show_default=False,
        ),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="KEY=VALUE", help="An option of its constructor, or an argument of its call. Repeatable."
        ),
    ] = None,
    kind: Annotated[str | None, typer.Option(help=f"Kind of loss: {', '.join(KINDS)}.")] = None,
    scores: Annotated[str | None, typer.Option(help=f"What its input is: {', '.join(SCORES)}.")] = None,
    target: Annotated[str | None, typer.Option(help=f"Layout of its target: {', '.join(LAYOUTS)}.")] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes that it expects.")] = None,
    shape: Annotated[str | None, typer.Option(help='Spatial sizes to call it with, as in 16,16; "" for none.')] = None,
    batch: Annotated[
        Path | None, typer.Option(help="Your batch, torch.save((input, target), FILE): why does its loss not go down?")
    ] = None,
    example: Annotated[
        str | None, typer.Option(help="A function that returns the arguments of one call, my.py:make_batch.")
    ] = None,
    source: Annotated[Path | None, typer.Option(help="A Python file to read without running it.")] = None,
    select: Annotated[list[str] | None, typer.Option(help="Run only this check. Repeatable.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on traps too.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show all findings in full and all checks.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the report, as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write the report to this file, as one page.")] = None,
    time_limit: Annotated[
        float, typer.Option("--time-limit", help="Seconds after which a check is stopped.", min=0.1)
    ] = DEFAULT_SECONDS,
    checks: Annotated[bool, typer.Option("--checks", help="List the checks and stop.")] = False,
) -> None:
    """Find what is wrong with a loss, whoever wrote it.

    \b
    losskit check my_losses.py:my_dice
    losskit check monai.losses:DiceLoss --with sigmoid=True
    losskit check torch.nn:BCELoss --html report.html
    losskit check my_losses.py:my_dice --batch batch.pt    why does my loss not go down?
    losskit check my_losses.py:my_dice --example my.py:make_batch    how is it called?
    losskit check --source my_losses.py                    read the code, run nothing

    Small trial calls determine what the loss takes. Checks that do not apply to a loss are waived, with the reason, in
    [tool.losskit.check] of pyproject.toml.

    Exit code 0: no fault; 1: something is wrong or gives no gradient (with --strict also: a trap);
    2: it cannot be determined what the loss takes, or the request is invalid.
    """
    from rich.console import Console

    if checks:
        _list()
        return
    if (loss is None) == (source is None):
        _stop("give a loss, such as my_losses.py:my_dice, or --source FILE.")
    out = Console(highlight=False)
    out = out if out.is_terminal else Console(highlight=False, width=WIDTH_OF_FILES)
    try:
        if source is not None:
            from losskit.checker.source import read  # here, so that `losskit --help` does not load it

            report = read(source, waivers_for(str(source)))
        else:
            assert loss is not None
            _refuse_file(loss)
            said = {"kind": kind, "scores": scores, "layout": target, "classes": classes, "shape": _shape(shape)}
            report = _checked(
                loss,
                as_json,
                select=select or (),
                waive=waivers_for(loss),
                options=_options(given or []),
                batch=None if batch is None else str(batch),
                example=example,
                time_limit=time_limit,
                isolate="fork",
                **said,
            )
    except Unsure as error:
        if as_json:
            typer.echo(json.dumps({"loss": loss, "verdict": "unsure", "reason": str(error)}, indent=2))
        _stop(f"unsure. {error}")
    except (ValueError, TypeError, ImportError) as error:
        _stop(with_hint(str(error)))
    except KeyboardInterrupt as error:
        typer.echo("losskit check: stopped.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    _print_report(report, out, as_json, verbose, html)
    raise typer.Exit(report.exit_code(strict))


def _refuse_file(loss: str) -> None:
    """Raise an error that lists the losses of a file, if its name is all that is given."""
    if not loss.endswith(".py"):
        return
    known = losses_in(loss)
    if not known:
        raise ValueError(f"{loss} defines no class or function that could be a loss.")
    raise ValueError(f"{loss} defines {', '.join(known)}. Name one of them: losskit check {loss}:{known[-1]}")


def _checked(loss: str, quiet: bool, **arguments: Any) -> Report:
    """The report, with a progress line on a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return run_check(loss, **arguments)
    with console.status(f"loading {loss}") as status:

        def progress(id: str, number: int, total: int) -> None:
            status.update(f"{number} of {total}: {id}")

        return run_check(loss, progress=progress, **arguments)


def _print_report(report: Report, out: "Console", as_json: bool, verbose: bool, html: Path | None) -> None:
    from losskit.checker.render import show, write_page  # imports jinja2, which `losskit --help` does not need

    if html is not None:
        try:
            write_page(report, html)
        except OSError as error:
            _stop(f"{html} cannot be written: {error.strerror or error}.")
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2, default=str))
        return
    show(report, out, verbose)
    if html is not None:
        typer.echo(f"Report: {html}")


def _options(given: list[str]) -> dict[str, Any]:
    """The options of --with: Python literals, what PyTorch has, otherwise text."""
    from losskit.checker.option_values import value_of  # imports PyTorch, which `losskit --help` does not need

    options = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name.strip().isidentifier():
            _stop(f"--with takes key=value, as in --with gamma=2; got {each!r}.")
        if value.strip().startswith("tensor("):
            _stop(f'write a tensor in the text of the loss: losskit check "package.module:Name({each})".')
        options[name.strip()] = value_of(value)
    return options


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(size) for size in text.split(",") if size.strip())
    except ValueError:
        _stop(f"--shape takes sizes separated by commas, such as 16,16; got {text!r}.")


def _list() -> None:
    from losskit.checker import battery  # imports every check, which `losskit --help` does not need

    for registry in (battery.checks(), battery.checks_of_batch()):
        for each in registry.values():
            typer.echo(f"{each.id:28}  {each.severity.value:12}  {each.asks}")


def _stop(message: str) -> NoReturn:
    typer.echo(f"losskit check: {message}", err=True)
    raise typer.Exit(CANNOT)
