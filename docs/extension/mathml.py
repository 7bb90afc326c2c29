"""Formulas as MathML, which browsers render without a script, a font or a network."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer(
        "mathml", inline_renderers=(_visit("inline"), None), block_renderers=(_visit("block"), None)
    )


def _visit(display: str) -> Callable[[Any, nodes.Element], None]:
    def visit(translator: Any, node: nodes.Element) -> None:
        source = node.astext()
        drawn = convert(source, display=display)
        if re.search(r">\\", drawn):  # latex2mathml passes unknown commands through as text
            logger.warning("this formula has an unknown command: %s", source, location=node)
        drawn = drawn.replace("<math ", f'<math aria-label="{escape(source)}" ', 1)
        translator.body.append(drawn if display == "inline" else f'<div class="formula">{drawn}</div>\n')
        raise nodes.SkipNode

    return visit
