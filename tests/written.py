"""Losses written as text, and the faults that the checker finds in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from losskit.checker import Subject, battery
from losskit.checker.finding import FAULTS

HEAD = "import math\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n"


def findings(code: str, name: str, checks: Sequence[str], folder: Path) -> list[str]:
    """The checks that find a fault in the loss of this name, the root cause first."""
    (folder / "mine.py").write_text(HEAD + code)
    subject = Subject.of(f"{folder / 'mine.py'}:{name}")
    return [each.check for each in battery.run(subject, select=checks) if each.severity in FAULTS]
