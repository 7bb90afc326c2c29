"""A page for every loss, generated from its declaration, and an index by family."""

from __future__ import annotations

import importlib
import re
from itertools import groupby
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from extension import identities, plots, reference
from extension.prose import prose
from losskit.core.catalogue import Entry, entries, names_of, short_name
from losskit.core.options import Option
from losskit.core.summable import Summable

_UNDERLINES = ("=", "-")
_LIBRARIES = (
    "fvcore",
    "kornia",
    "nnU-Net",
    "optax",
    "segmentation_models_pytorch",
    "timm",
    "torchvision",
)  # names in lower case


_SIDES = (("", "wide"), ("-narrow", "narrow"))  # of the screen on which a picture is shown


def write_pages(app: Sphinx) -> None:
    """Write losses/*.rst before Sphinx collects sources; unchanged files keep their modification time."""
    folder = Path(app.srcdir) / "losses"
    ours = [entry for entry in entries() if entry.authority and entry.family != "your own"]
    drawings = folder / "plots"
    drawings.mkdir(parents=True, exist_ok=True)
    pages = {f"{entry.name}.rst": page(entry, drawings) for entry in ours}
    pages["index.rst"] = index(ours)
    pages["gallery.rst"] = gallery(ours)
    for stale in folder.glob("*.rst"):
        if stale.name not in pages:
            stale.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def index(ours: list[Entry]) -> str:
    """All losses by family, with one sentence each."""
    parts = [
        _title("Every loss", 0),
        f"{len(ours)} losses, each with one definition, as a class and as a function. The pages below are generated "
        "from the declarations of the losses, and their numbers are computed when the pages are built.",
    ]
    by_family = sorted(ours, key=lambda e: (e.family, e.loss.__name__))
    for family, members in groupby(by_family, key=lambda e: e.family):
        rows = [[f":doc:`{e.loss.__name__} <{e.name}>`", f"``{short_name(e.loss)}``", e.summary] for e in members]
        parts += [
            _title(family.capitalize().replace("_", " "), 1),
            _about(family),
            _table(["loss", "short name", "summary"], rows, "28 16 56"),
        ]
    listed = "\n".join(f"   {e.name}" for e in by_family)
    return "\n\n".join([*parts, f".. toctree::\n   :hidden:\n\n{listed}"]) + "\n"


def gallery(ours: list[Entry]) -> str:
    """The plots of all losses by family, each a link to its page."""
    parts = [_title("Gallery", 0), "The value and the gradient of every loss that is a function of one number."]
    drawn = [entry for entry in ours if entry.loss.__name__ not in plots.WITHOUT]
    for family, members in groupby(sorted(drawn, key=lambda e: (e.family, e.loss.__name__)), key=lambda e: e.family):
        cards = [
            f"   .. grid-item-card:: {e.loss.__name__}\n      :link: {e.name}\n      :link-type: doc\n"
            f"      :img-bottom: plots/{e.name}.svg\n      :img-alt: value and gradient of {e.loss.__name__}"
            for e in members
        ]
        parts += [_title(family.capitalize().replace("_", " "), 1), ".. grid:: 1 1 2 2\n   :gutter: 2", *cards]
    return "\n\n".join(parts) + "\n"


def page(entry: Entry, drawings: Path) -> str:
    """The page of one loss; its plot goes into the folder of drawings."""
    cls = entry.loss
    text, source, elsewhere = _sections(cls.written_doc)
    summary, *rest = text.split("\n\n")
    parts = [
        _title(cls.__name__, 0),
        reference.index(cls),
        summary,
        cls.example.rstrip(),
        *rest,
        _title("Call", 1),
        reference.entries_of(entry, prose(_sentence(cls.shapes))),
        _title("Value and gradient", 1),
        _picture(entry, drawings),
        _title("Options", 1),
        "\n\n".join(_option(o) for o in cls.options.values()),
        _title("Source", 1),
        source,
    ]
    if elsewhere:
        parts += [_title("Other definitions of the name", 1), elsewhere]
    found = identities.of(cls)
    if found:
        rows = [[i.statement, _measured(i.difference())] for i in found]
        parts += [
            _title("Identities", 1),
            "The largest relative difference in value on random float64 data, measured when this page was built:",
            _table(["identity", "difference"], rows, "80 20"),
        ]
    parts += [_title("Across ranks and micro-batches", 1), _across(cls), _title("Tested against", 1)]
    parts.append(f"Values and gradients are tested against {entry.authority}.")
    parts += [_title("Names", 1), _names(entry)]
    return "\n\n".join(parts) + "\n"


def _picture(entry: Entry, drawings: Path) -> str:
    if entry.loss.__name__ in plots.WITHOUT:
        return plots.WITHOUT[entry.loss.__name__]
    plots.draw(entry.loss, drawings, entry.name)
    shown = [f".. image:: plots/{entry.name}{kind}.svg\n   :class: plot {side}" for kind, side in _SIDES]
    return "\n\n".join(f"{image}\n   :alt: value and gradient of {entry.loss.__name__}" for image in shown)


def _sections(written: str) -> tuple[str, str, str]:
    """The text of a docstring, its Source paragraph and its Elsewhere paragraph."""
    paragraphs = re.split(r"\n\s*\n", written)
    found = {"Source:": "", "Elsewhere:": ""}
    text = []
    for paragraph in paragraphs:
        head = next((h for h in found if paragraph.startswith(h)), None)
        if head:
            body = paragraph.removeprefix(head).strip()
            found[head] = _links(body if body.startswith(_LIBRARIES) else _sentence(body))
        else:
            text.append(_links(paragraph))
    return "\n\n".join(text), found["Source:"], found["Elsewhere:"]


def _links(text: str) -> str:
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"`arXiv:\1 <https://arxiv.org/abs/\1>`__", text)


def _option(o: Option) -> str:
    """An entry of a definition list: name and default, domain, description."""
    return f"``{o.name}={o.default!r}`` : {prose(o.domain.text)}\n   {prose(_sentence(o.doc))}."


def _across(cls: Any) -> str:
    if issubclass(cls, Summable):
        return (
            f"Its totals can be added: {_plain(cls.across_ranks)} See :doc:`/many-machines`."
            if cls.across_ranks
            else "Its totals can be added. See :doc:`/many-machines`."
        )
    return f"{_sentence(cls.across_ranks)} See :doc:`/many-machines`."


def _names(entry: Entry) -> str:
    names = dict.fromkeys(names_of(entry.loss))
    return f"``losskit.build`` and the command line accept {', '.join(f'``{n}``' for n in names)}."


def _about(family: str) -> str:
    doc = (importlib.import_module(f"losskit.losses.{family}").__doc__ or "").strip()
    return _sentence(re.split(r"(?<=\.)\s", doc.split("\n\n")[0])[0])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _measured(difference: float) -> str:
    return f"{difference:.0e}" if difference else "0"


def _plain(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _title(text: str, level: int) -> str:
    return f"{text}\n{_UNDERLINES[level] * len(text)}"


def _table(head: list[str], rows: list[list[str]], widths: str) -> str:
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in [head, *rows]:
        for index, cell in enumerate(row):
            lines.append(f"   {'*' if index == 0 else ' '} - {' '.join(cell.split())}")
    return "\n".join(lines)
