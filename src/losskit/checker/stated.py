"""What a user states about a loss; the rest is concluded."""

from __future__ import annotations

from dataclasses import dataclass

from losskit.checker.spec import KINDS, LAYOUTS, SCORES
from losskit.checker.trial import Form
from losskit.core.domains import nearest


@dataclass(frozen=True)
class Stated:
    """What the user states about the loss; the rest is determined."""

    kind: str | None = None
    scores: str | None = None
    target: str | None = None
    classes: int | None = None
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("kind", self.kind, KINDS),
            ("scores", self.scores, SCORES),
            ("target", self.target, tuple(LAYOUTS)),
        ):
            if value is not None and value not in known:
                raise ValueError(f"{name}={value!r} is unknown{nearest(value, known)} One of: {', '.join(known)}.")

    def allows(self, form: Form) -> bool:
        wanted = ((self.kind, form.kind), (self.scores, form.scores), (self.target, form.layout))
        return all(said is None or said == found for said, found in wanted)

    @property
    def anything(self) -> bool:
        return any((self.kind, self.scores, self.target))
