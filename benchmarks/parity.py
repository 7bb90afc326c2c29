"""Measures where values equal those of other libraries and where they differ. Prints Markdown."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the lists that the tests verify

from deviations import DEVIATIONS
from equalities import EQUALITIES, difference

LIBRARIES = {
    "torch": "torch",
    "monai": "monai",
    "smp": "segmentation-models-pytorch",
    "kornia": "kornia",
    "toolbelt": "pytorch-toolbelt",
    "torchvision": "torchvision",
    "timm": "timm",
    "fvcore": "fvcore",
}


def versions() -> str:
    """The versions of the measured libraries."""
    return ", ".join(f"{short} {importlib.metadata.version(name)}" for short, name in LIBRARIES.items())


def equal() -> str:
    """Constructors with the same value and gradient, with the largest relative difference."""
    lines = ["| library | theirs | losskit | equal to | where |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.library} | `{row.theirs}` | `{row.ours}` | {difference(row):.0e} | {row.where or 'always'} |"
        for row in EQUALITIES
    ]
    return "\n".join(lines)


def different() -> str:
    """Intentional differences, with both values on the same data."""
    lines = ["| library | loss | theirs | losskit | their value | losskit's value |", "|---|---|---|---|---|---|"]
    for row in DEVIATIONS:
        theirs, ours = (v if isinstance(v, str) else f"{float(v):.7g}" for v in row.values())
        lines.append(f"| {row.library} | {row.loss} | {row.theirs} | {row.ours} | {theirs} | {ours} |")
    return "\n".join(lines)


def markdown() -> str:
    """Both tables."""
    return f"""{versions()}, in float64 on the CPU. `C` is the number of classes, `w` one weight per class.

**The same value and gradient**

{equal()}

**Different on purpose**

{different()}
"""


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.stdout.write(markdown())
