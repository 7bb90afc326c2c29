"""Executed content: `{run}` shows code and its output, `{terminal}` a command and its output, `{value}` an expression.

All blocks of a page run in one module, from top to bottom. A failure fails the build.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import shlex
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "losskit").rglob("*.py"))  # every number on the pages depends on these


def setup(app: Sphinx) -> None:
    app.add_directive("run", Run)
    app.add_directive("terminal", Terminal)
    app.add_role("value", Value())
    app.connect("env-purge-doc", lambda _app, _env, page: sys.modules.pop(_module_name(page), None))


class Run(SphinxDirective):
    """Code and its output; `:raises:` names the error that it must raise, `:markdown:` parses the output as a page."""

    has_content = True
    option_spec = {"hide": directives.flag, "markdown": directives.flag, "raises": directives.unchanged_required}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        _depend(self.env)
        source = "\n".join(self.content)
        printed = execute(source, page_module(self.env.docname), self.options.get("raises"))
        shown: list[nodes.Node] = []
        if "hide" not in self.options:
            shown.append(self._literal(source, "python", []))
        if "markdown" in self.options:
            shown += self.parse_text_to_nodes(printed, allow_section_headings=True)
        elif printed.strip():
            shown.append(
                self._literal(printed.rstrip(), "text", ["output", *(["error"] if "raises" in self.options else [])])
            )
        return shown

    def _literal(self, text: str, language: str, classes: list[str]) -> nodes.literal_block:
        block = nodes.literal_block(text, text, language=language, classes=classes)
        self.set_source_info(block)
        return block


class Terminal(SphinxDirective):
    """A command and its output: `losskit ...`, or `python FILE` with the path of the file in the repository."""

    has_content = True
    option_spec = {"head": directives.positive_int, "fails": directives.flag}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        _depend(self.env)
        lines = []
        for command in self.content:
            program, *arguments = shlex.split(command)
            known = {"losskit": [sys.executable, "-m", "losskit"], "python": [sys.executable]}
            done = subprocess.run(
                [*known[program], *arguments],
                cwd=ROOT,
                env={**os.environ, "COLUMNS": "100", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": ""},  # whole lines
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
                check=False,
            )
            if (done.returncode != 0) != ("fails" in self.options):
                raise AssertionError(f"{command}: exit code {done.returncode}\n{done.stdout}")
            printed = done.stdout.rstrip().splitlines()
            shown = printed[: self.options.get("head", len(printed))]
            lines += [f"$ {command}", *(line.rstrip() for line in shown), *(["..."] if shown != printed else [])]
        text = "\n".join(lines)
        block = nodes.literal_block(text, text, language="text", classes=["terminal"])
        self.set_source_info(block)
        return [block]


class Value(SphinxRole):
    """The value of an expression in the page's module, with a format as in an f-string: {value}`loss:.3f`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        module = page_module(self.env.docname)
        text = eval(f"f'''{{{self.text}}}'''", vars(module))
        return [nodes.inline(text, text, classes=["measured"])], []


def _depend(env: BuildEnvironment) -> None:
    """Rebuild a page when the library or the measuring code has changed."""
    for path in (*SOURCES, *(ROOT / "docs" / "measure").glob("*.py")):
        env.note_dependency(str(path))


def page_module(page: str) -> types.ModuleType:
    """The module in which the code of a page runs."""
    name = _module_name(page)
    if name not in sys.modules:
        sys.modules[name] = types.ModuleType(name)
    return sys.modules[name]


def _module_name(page: str) -> str:
    return "page_" + page.replace("/", "_").replace("-", "_")


def execute(source: str, module: types.ModuleType, raises: str | None = None) -> str:
    """Run code and return its output, including the repr of a final expression, as at a prompt."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    out = io.StringIO()
    namespace: dict[str, Any] = vars(module)
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(tree, module.__name__, "exec"), namespace)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), module.__name__, "eval"), namespace)
                if value is not None:
                    print(repr(value))
        except Exception as error:
            if raises is None or type(error).__name__ != raises:
                raise
            print(f"{type(error).__name__}: {error}")
            return out.getvalue()
    if raises is not None:
        raise AssertionError(f"{raises} was not raised by:\n{source}")
    return out.getvalue()
