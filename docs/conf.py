"""Sphinx configuration: `make docs`. The build measures the numbers that the pages show."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples"), str(HERE.parent / "tests")]
os.environ.setdefault("MPLBACKEND", "Agg")

import losskit  # noqa: E402

project = "losskit"
author = "The losskit authors"
copyright = "The losskit authors"
release = version = losskit.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_design", "extension"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "Thumbs.db", ".DS_Store"]
default_role = "code"
nitpicky = True
smartquotes = False
language = "en"

autodoc_typehints = "none"

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "losskit"
html_static_path = ["_static"]
html_css_files = ["losskit.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b5d8f",
        "color-brand-content": "#0b5d8f",
        "font-stack--monospace": "ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
    },
    "dark_css_variables": {"color-brand-primary": "#7cc4f0", "color-brand-content": "#7cc4f0"},
}
