"""Formulas of families of losses, one file per group, and the check that compares a loss with that of its name."""

from losskit.checker.references import adversarial as adversarial
from losskit.checker.references import boxes as boxes
from losskit.checker.references import classification as classification
from losskit.checker.references import densities as densities
from losskit.checker.references import detection as detection
from losskit.checker.references import divergences as divergences
from losskit.checker.references import embeddings as embeddings
from losskit.checker.references import evidence as evidence
from losskit.checker.references import graphs as graphs
from losskit.checker.references import heads as heads
from losskit.checker.references import images as images
from losskit.checker.references import listwise as listwise
from losskit.checker.references import longtail as longtail
from losskit.checker.references import metric as metric
from losskit.checker.references import numbers as numbers
from losskit.checker.references import one_edit as one_edit
from losskit.checker.references import others as others
from losskit.checker.references import overlaps as overlaps
from losskit.checker.references import policies as policies
from losskit.checker.references import poses as poses
from losskit.checker.references import preferences as preferences
from losskit.checker.references import ranking as ranking
from losskit.checker.references import segments as segments
from losskit.checker.references import tokens as tokens
from losskit.checker.references import transfer as transfer
from losskit.checker.references import views as views
