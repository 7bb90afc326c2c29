"""Sphinx extension of these pages: executed code, MathML formulas, a page for every loss."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

from extension import catalogue, links, mathml, prose, reference, run

_LANGUAGES = {"zh": "zh-Hans", "ja": "ja"}


def setup(app: Sphinx) -> dict[str, Any]:
    run.setup(app)
    mathml.setup(app)
    app.connect("builder-inited", catalogue.write_pages)
    app.connect("autodoc-process-docstring", prose.escape)
    app.connect("env-updated", reference.name_twice)
    app.connect("doctree-resolved", links.link)
    app.connect("html-page-context", _set_language)
    return {"parallel_read_safe": False, "parallel_write_safe": True}


def _set_language(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:  # noqa: ARG001
    """Set the language of translated pages, so that browsers choose the right glyphs."""
    context["language"] = _LANGUAGES.get(page.rpartition("/")[2], context["language"])
