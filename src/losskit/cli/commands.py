"""The commands of `losskit`: list, show, plot, check, doctor, accelerate and compare."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import torch
import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import losskit
from losskit.building import references
from losskit.building.build import build, reference_of, split
from losskit.checker.command import check
from losskit.cli.accelerate import accelerate
from losskit.cli.doctor import doctor
from losskit.core.catalogue import Entry, entries, find, names_of, short_name
from losskit.core.domains import nearest
from losskit.core.loss import Loss
from losskit.figures.tex import prose, readable
from losskit.ops.choice import serving_here
from losskit.version import INSTALL_COMPARE


class Commands(typer.core.TyperGroup):
    """The subcommands, with a suggestion for a misspelt one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word = args[0]
        if word not in self.commands and not word.startswith("-"):
            if any(word in names_of(entry.loss) for entry in entries()):
                ctx.fail(f"{word} is a loss, not a command. See it with: losskit show {word}")
            commands = ", ".join(self.commands)
            ctx.fail(f"There is no command {word!r}{nearest(word, self.commands)} The commands are {commands}.")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_JSON = typer.Option("--json", help="Print JSON instead of text.")
_NARROW = 100  # terminal columns below which a table would break names


def _described(cls: type[Loss]) -> dict[str, Any]:
    """A loss as JSON. Texts are in reStructuredText, as written in the source."""
    function, _, short, *others = names_of(cls)
    return {
        "name": short,
        "class": cls.__name__,
        "function": function,
        "also": others,
        "family": Entry(function, cls).family,
        "doc": cls.written_doc,
        "example": cls.example,
        "authority": cls.authority,
        "shapes": cls.shapes,
        "across_ranks": cls.across_ranks,
        "options": [
            {"name": o.name, "default": repr(o.default), "domain": o.domain.text, "doc": o.doc}
            for o in cls.options.values()
        ],
    }


def _version(asked: bool) -> None:
    if asked:
        print(f"losskit {losskit.__version__} (torch {torch.__version__}, Python {platform.python_version()})")
        print(*(f"on the {device}: {operator}" for device, operator in serving_here().items()), sep="\n")
        raise typer.Exit


@app.callback()
def losskit_(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Loss functions for PyTorch: look them up, plot them, and find the best one for your data.

    \b
    losskit list                              all losses, one line each
    losskit show dice                         formula, options and source of a loss
    losskit plot "focal(gamma=2)" bce dice    plot value and gradient
    losskit check my_losses.py:my_dice        find what is wrong with a loss
    losskit compare                           train with several losses on real data
    losskit doctor                            check the kernels on this machine

    \b
    A loss is written by name, with options; losses can be added and scaled:
      dice     "focal(gamma=2)"     "dice + 0.5 * bce"     my_losses.py:my_dice     "torch.nn:HuberLoss(delta=2)"
    Quote text with parentheses or spaces to protect it from the shell.
    """


@app.command("list")
def list_(
    word: Annotated[str | None, typer.Argument(help="Only losses with this word in a name or the description.")] = None,
    family: Annotated[str | None, typer.Option("--family", "-f", help="Only this family, such as region.")] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """List the losses: name, class, family, and what each does.

    \b
    losskit list
    losskit list --family region
    losskit list smooth
    """
    families = sorted({entry.family for entry in entries()})
    if family is not None and family not in families:
        _stop(f"There is no family {family!r}{nearest(family, families)} The families are {', '.join(families)}.")
    found = [entry for entry in entries(family) if word is None or _mentions(entry, word)]
    if not found:
        known = [name for entry in entries() for name in names_of(entry.loss)]
        _stop(f"No loss mentions {word!r}{nearest(word or '', known)} losskit list shows all of them.", 1)
    found = sorted(found, key=lambda e: (e.family, e.name))
    if as_json:
        print(json.dumps([_described(entry.loss) for entry in found], indent=2))
        return
    console = _console(piped=10_000)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, style in (("name", "bold"), ("class", ""), ("family", "dim")):
        table.add_column(column, style=style, no_wrap=True)
    table.add_column("what it does", overflow="fold")
    for entry in found:
        name = short_name(entry.loss) + ("" if entry.authority else " *")
        if console.width < _NARROW:
            console.print(Text.assemble((name, "bold"), f"  {entry.loss.__name__}", (f"  {entry.family}", "dim")))
            console.print(Padding(Text(entry.summary), (0, 0, 0, 4)))
        else:
            table.add_row(*map(Text, (name, entry.loss.__name__, entry.family, entry.summary)))
    if table.rows:
        console.print(table)
    if not all(entry.authority for entry in found):
        console.print("\n* no independent reference: only its author vouches for its numbers")


def _mentions(entry: Entry, word: str) -> bool:
    return any(word.lower() in text.lower() for text in (*names_of(entry.loss), entry.loss.written_doc))


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A loss: its short name, class, function, or file.py:name.")
    ],
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Show one loss: its formula, options, source and namesakes.

    Options are listed with domains and defaults. Namesakes are other losses known by the same name.

    \b
    losskit show focal
    losskit show DiceLoss
    losskit show my_losses.py:my_dice
    """
    cls, called = _declared(name)
    if as_json:
        print(json.dumps(_described(cls), indent=2))
        return
    console = _console(piped=100)
    summary, *paragraphs = cls.written_doc.split("\n\n") if cls.written_doc else [cls.__doc__ or cls.__name__]
    console.print(Text.assemble((cls.__name__, "bold"), (f"  {called}", "dim")))
    console.print(Text(prose(" ".join(summary.split()))))
    for paragraph in paragraphs:
        console.print()
        if paragraph.startswith(".. math::"):
            console.print(Padding(Text(readable(paragraph.removeprefix(".. math::")), style="cyan"), (0, 4)))
        else:
            console.print(_led(prose(" ".join(paragraph.split()))))
    if cls.example:
        console.print("\n", Text("Example:", style="bold"), sep="")
        console.print(Padding(Text(cls.example), (0, 4)))
    console.print("\n", Text("Options", style="bold"), sep="")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=2)
    table.add_column(ratio=3, style="dim")
    for option in cls.options.values():
        if console.width < _NARROW:
            console.print(Text.assemble((f"  {option.name}", "bold"), f" = {option.default!r}"))
            console.print(Padding(Text(option.domain.text), (0, 0, 0, 4)))
            console.print(Padding(Text(prose(option.doc), style="dim"), (0, 0, 0, 4)))
            continue
        table.add_row(*map(Text, (f"  {option.name}", repr(option.default), option.domain.text, prose(option.doc))))
    if table.rows:
        console.print(table)
    facts = [f"Shapes: {cls.shapes}", f"Distributed: {cls.across_ranks}"]
    facts.append(f"Tested against: {cls.authority}." if cls.authority else _NO_REFERENCE)
    for fact in facts:
        console.print()
        console.print(_led(prose(" ".join(fact.split()))))


_NO_REFERENCE = "Tested against: nothing; it has no independent reference."


def _declared(name: str) -> tuple[type[Loss], str]:
    """The class of a loss, and its names."""
    reference = _checked(reference_of, name)
    if reference is None:
        if "(" in name or " " in name.strip():
            _stop(f"show takes the name of one loss; got {name!r}. To plot it: losskit plot {name!r}")
        cls = _checked(find, name.strip()).loss
        function, _, short, *others = names_of(cls)
        short_names = ", ".join(dict.fromkeys([short, *others]))
        return cls, f"losskit.functional.{function}, also available as {short_names}"
    found = _checked(references.load, reference)
    cls = getattr(found, "Module", found)
    if not (isinstance(cls, type) and issubclass(cls, Loss)):
        _stop(f"{reference} was not made with losskit, so there is nothing to show. To plot it: losskit plot {name}")
    return cls, str(reference)


def _led(paragraph: str) -> Text:
    """A paragraph with its leading word, such as `Source:`, in bold."""
    lead, colon, _ = paragraph.partition(": ")
    text = Text(paragraph)
    if colon and len(lead) < 30:
        text.stylize("bold", 0, len(lead) + 1)
    return text


@app.command()
def plot(
    losses: Annotated[list[str], typer.Argument(metavar="LOSS...", help="Losses, such as: dice 'focal(gamma=2)'")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The image file to write: .png, .svg or .pdf.")] = Path(
        "curves.png"
    ),
    over: Annotated[
        str | None, typer.Option("--over", help="Plot against logit, confidence, overlap or error, not the default.")
    ] = None,
) -> None:
    """Plot the value and gradient of losses in one figure.

    Losses of labels are plotted against the logit. Beside a region loss they are plotted on an image with an object:
    against the logit of the true class at every pixel, and against the overlap of the object with a shifted prediction.
    Losses of numbers are plotted against the error.

    \b
    losskit plot "focal(gamma=2)" bce dice -o curves.png
    losskit plot mse l1 huber -o errors.svg
    losskit plot my_losses.py:my_dice dice
    """
    from losskit.figures.plots import figure, save  # here, so that `losskit --help` does not load it

    texts = [text for given in losses for text in _checked(split, given)]
    criteria = {text: _checked(partial(build, references=True), text) for text in texts}
    picture = _checked(figure, criteria, over)
    try:
        path = _checked(save, picture, out)
    except OSError as error:
        _stop(f"{out} cannot be written: {error.strerror or error}.", 1)
    print(f"{path}: {', '.join(criteria)}")


def _checked(make: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a call, or the error message if the request is invalid."""
    try:
        return make(*arguments)
    except ValueError as error:
        _stop(str(error))
    except ImportError as error:
        _stop(str(error), 1)


def _stop(message: str, code: int = 2) -> NoReturn:
    print(f"losskit: {message}", file=sys.stderr)
    raise typer.Exit(code)


def _console(piped: int) -> Console:
    """The terminal; otherwise lines of up to this width, without colour."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=piped)


app.command("check")(check)
app.command("doctor")(doctor)
app.command("accelerate")(accelerate)


def needs_more() -> None:
    """Replaces `compare` if its packages are missing."""
    _stop(f"compare needs more packages: {INSTALL_COMPARE}.", 1)


try:
    from losskit.experiment.command import compare
except ModuleNotFoundError:
    app.command(
        "compare",
        help=f"Train with several losses on the same data and rank them. Needs more packages: {INSTALL_COMPARE}.",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(needs_more)
else:
    app.command("compare")(compare)
