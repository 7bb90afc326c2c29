"""Claims: whether a loss obeys what every loss of the kind that it claims to be obeys."""

from __future__ import annotations

from collections.abc import Iterator

from losskit.checker.claims import adversarial, densities, embeddings, images, numbers, policies, ranking
from losskit.checker.claims.claim import Claim
from losskit.checker.finding import Found, Severity
from losskit.checker.origin import CannotRebuild
from losskit.checker.registry import check
from losskit.checker.subject import LossRaised, Subject

CLAIMS: tuple[Claim, ...] = (
    *adversarial.CLAIMS,
    *densities.CLAIMS,
    *embeddings.CLAIMS,
    *images.CLAIMS,
    *numbers.CLAIMS,
    *policies.CLAIMS,
    *ranking.CLAIMS,
)


@check(
    "contradicts-claim",
    Severity.WRONG,
    why="Its name or documentation states a kind of loss, and every loss of that kind obeys this rule.",
    fix="Compare the formula with the definition of the kind.",
    consequence_of=(),
    anyhow=True,
)
def contradicts_claim(subject: Subject) -> Iterator[Found]:
    """Does the loss obey what every loss of the kind that it claims to be obeys?"""
    for claim in CLAIMS:
        claimed = claim.of(subject)
        for relation in claim.relations if claimed is not None else ():
            try:
                found = next(iter(relation(claimed)), None)  # type: ignore[arg-type]
            except (LossRaised, CannotRebuild):
                continue  # it is called in another way
            if found is not None:
                yield found
                return
