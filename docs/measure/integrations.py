"""What came of the last run of `make integrations`."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "integrations.json"
HIDDEN = {"losskit", "numpy", "matplotlib"}  # of every example, so that they tell nothing


def table() -> str:
    """A row for each example: outcome, date, seconds and versions."""
    rows = ["| example | last result | date | seconds | versions |", "|---|---|---|---|---|"]
    for name, result in json.loads(RESULTS.read_text()).items():
        versions = ", ".join(f"{k} {v}" for k, v in result["versions"].items() if k not in HIDDEN)
        rows.append(f"| `{name}` | {result['outcome']} | {result['date']} | {result['seconds']} | {versions} |")
    return "\n".join(rows)
