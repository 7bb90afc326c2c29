"""Links from the names of classes in the code of some pages to their entries in the reference."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx

# Pages on which every such name is one of losskit: elsewhere `DiceLoss` can be that of another library.
PAGES = {"which-loss-when", "quickstart", "composites-and-schedules", "index"}
NAME = re.compile(r"\b[A-Z]\w+\b")


def link(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Replace each name in inline code by a link."""
    if page not in PAGES:
        return
    for code in list(doctree.findall(nodes.literal)):
        if not _inside_link(code):
            code[:] = list(_linked(app, page, code.astext()))


def _linked(app: Sphinx, page: str, text: str) -> Iterator[nodes.Node]:
    known = app.env.get_domain("py").objects  # type: ignore[attr-defined]
    end = 0
    for match in NAME.finditer(text):
        found = known.get(f"losskit.{match[0]}")
        if found is None:
            continue
        target = f"{app.builder.get_relative_uri(page, found.docname)}#{found.node_id}"
        yield nodes.Text(text[end : match.start()])
        yield nodes.reference("", match[0], internal=True, refuri=target)
        end = match.end()
    yield nodes.Text(text[end:])


def _inside_link(node: nodes.Node) -> bool:
    while node is not None:
        if isinstance(node, (nodes.reference, nodes.title)):
            return True
        node = node.parent
    return False
