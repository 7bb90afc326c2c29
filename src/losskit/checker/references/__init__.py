"""Formulas of families of losses, one file per group, and the check that compares a loss with that of its name."""

from losskit.checker.references import densities as densities
from losskit.checker.references import embeddings as embeddings
from losskit.checker.references import numbers as numbers
from losskit.checker.references import one_edit as one_edit
from losskit.checker.references import overlaps as overlaps
