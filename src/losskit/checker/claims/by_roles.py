"""Kinds whose arguments are known by the names of their roles, whatever trial calls conclude."""

from __future__ import annotations

from collections.abc import Iterator

from losskit.checker.claims import (
    adversarial,
    counts,
    densities,
    divergences,
    embeddings,
    episodes,
    images,
    lengths,
    logistic,
    memories,
    numbers,
    policies,
    preferences,
    quantiles,
    ranking,
    slopes,
    sparse,
    spreads,
    symmetries,
    tasks,
)
from losskit.checker.claims.claim import Claim
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.origin import CannotRebuild
from losskit.checker.subject import LossRaised, Subject

CLAIMS: tuple[Claim, ...] = (
    *adversarial.CLAIMS,
    *counts.CLAIMS,
    *densities.CLAIMS,
    *divergences.CLAIMS,
    *embeddings.CLAIMS,
    *episodes.CLAIMS,
    *images.CLAIMS,
    *lengths.CLAIMS,
    *logistic.CLAIMS,
    *memories.CLAIMS,
    *numbers.CLAIMS,
    *policies.CLAIMS,
    *preferences.CLAIMS,
    *quantiles.CLAIMS,
    *ranking.CLAIMS,
    *slopes.CLAIMS,
    *sparse.CLAIMS,
    *spreads.CLAIMS,
    *symmetries.CLAIMS,
    *tasks.CLAIMS,
)


@kind(says=".")
def by_roles(subject: Subject) -> Iterator[Found]:
    """The first relation that a loss breaks."""
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
