"""Formulas of families of losses, one file per group, and the check that compares a loss with that of its name."""

from losskit.checker.references import adversarial as adversarial
from losskit.checker.references import agents as agents
from losskit.checker.references import classification as classification
from losskit.checker.references import counts as counts
from losskit.checker.references import densities as densities
from losskit.checker.references import depths as depths
from losskit.checker.references import detection as detection
from losskit.checker.references import diffusion as diffusion
from losskit.checker.references import divergences as divergences
from losskit.checker.references import embeddings as embeddings
from losskit.checker.references import features as features
from losskit.checker.references import heads as heads
from losskit.checker.references import images as images
from losskit.checker.references import latents as latents
from losskit.checker.references import masks as masks
from losskit.checker.references import networks as networks
from losskit.checker.references import numbers as numbers
from losskit.checker.references import one_edit as one_edit
from losskit.checker.references import others as others
from losskit.checker.references import overlaps as overlaps
from losskit.checker.references import policies as policies
from losskit.checker.references import ranking as ranking
from losskit.checker.references import signals as signals
