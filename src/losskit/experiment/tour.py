"""Four tasks one after another: when the choice of a loss matters, by how much, and when it does not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from losskit.experiment.comparison import compare, writable
from losskit.experiment.progress import Progress
from losskit.experiment.results import Comparison
from losskit.experiment.user_input import check_numbers

SECONDS = {"scenes": 190, "digits-noisy": 45, "digits-longtail": 40, "diabetes-outliers": 30}  # maximum


def tour(
    *,
    budget: float | None = None,
    blocks: int | None = None,
    out: str | Path = "losskit-compare",
    progress: Progress | None = None,
    **settings: Any,
) -> Sequence[Comparison]:
    """Compare the losses of each task, until it is decided or its part of the budget is used; with a report.

    `budget` is in minutes for all tasks; the settings are those of `losskit.compare`.
    """
    check_numbers({"budget": budget, "blocks": blocks})
    progress = progress or Progress()
    whole = sum(SECONDS.values())
    found: list[Comparison] = []
    with writable(Path(out)) as folder:
        from losskit.experiment.report import write_tour  # imports jinja2 and matplotlib, which are extras
        from losskit.experiment.runs import POOL

        with POOL.used(str(folder.resolve())):
            for name, seconds in SECONDS.items():
                share = seconds / 60 if budget is None else budget * seconds / whole
                limit = share if blocks is None else None
                progress.say("")
                own: dict[str, Any] = {"blocks": blocks, "budget": limit, "out": folder / name, "progress": progress}
                found.append(compare(task=name, **own, **settings))
                write_tour(found, folder)
    return found
