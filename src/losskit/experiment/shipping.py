"""Objects given by the caller (losses, model and metric), saved to a file that the runs' processes read."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Shipment:
    file: str | None = None
    file_digest: str | None = None  # passed to the runs, which load no other file
    digests: Mapping[str, str] = field(default_factory=dict)  # by loss
    digest_of_model: str | None = None
    digest_of_metric: str | None = None

    def digest(self, loss: str) -> str | None:
        return self.digests.get(loss)


def ship(
    losses: Mapping[str, Any],
    model: Callable[..., Any] | None,
    metric: Callable[..., float] | None,
    folder: Path,
) -> Shipment:
    """Functions of a notebook are saved with their code, those of a module by name."""
    import cloudpickle

    given = {"losses": dict(losses), "model": model, "metric": metric}
    if not losses and model is None and metric is None:
        return Shipment()

    def digest(value: Any) -> str:
        return hashlib.sha256(cloudpickle.dumps(value)).hexdigest()[:16]

    folder.mkdir(parents=True, exist_ok=True)
    content = cloudpickle.dumps(given)
    file = folder / f"given-{digest(given)}.pkl"
    file.write_bytes(content)
    return Shipment(
        file=str(file.resolve()),
        file_digest=hashlib.sha256(content).hexdigest(),
        digests={name: digest(loss) for name, loss in losses.items()},
        digest_of_model=None if model is None else digest(model),
        digest_of_metric=None if metric is None else digest(metric),
    )
