"""Waivers: checks that a project ignores for its losses, each with a reason, in pyproject.toml."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]


def waivers_for(loss: str, start: Path | None = None) -> dict[str, str]:
    """The waivers of a loss, from the nearest pyproject.toml in this folder or above.

    `[tool.losskit.check]` contains `waive = { "check-id" = "reason" }` for all losses. A single loss has its own table
    with its own `waive`, by path or name: `[tool.losskit.check.loss."my_losses.py:my_dice"]` or
    `[tool.losskit.check.loss.my_dice]`.
    """
    file = _nearest(start or Path.cwd())
    if file is None:
        return {}
    try:
        held = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    table = held.get("tool", {}).get("losskit", {}).get("check", {})
    losses = table.get("loss", {})
    own = losses.get(loss, losses.get(loss.rsplit(":", 1)[-1], {}))
    return {**_waive(file, table), **_waive(file, own)}


def _waive(file: Path, table: Mapping[str, Any]) -> dict[str, str]:
    unknown = sorted(set(table) - {"waive", "loss"})
    if unknown:
        raise ValueError(f"{file}: [tool.losskit.check] has the keys waive and loss; got {unknown[0]}.")
    waive = table.get("waive", {})
    if not isinstance(waive, Mapping) or not all(isinstance(reason, str) for reason in waive.values()):
        wanted = '{ "check-id" = "why this is acceptable" }'
        raise ValueError(f"{file}: waive must be a table of reasons, as in waive = {wanted}.")
    return dict(waive)


def _nearest(folder: Path) -> Path | None:
    return next((p for each in (folder, *folder.parents) if (p := each / "pyproject.toml").is_file()), None)
