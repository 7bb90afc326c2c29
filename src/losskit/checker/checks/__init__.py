"""The checks, one file per theme. Importing them registers them, in the order in which they run."""

# isort: off
from losskit.checker.checks import meaning as meaning
from losskit.checker.checks import overlaps as overlaps
from losskit.checker.checks import siblings as siblings
from losskit.checker.checks import similarities as similarities
from losskit.checker.checks import numbers as numbers
from losskit.checker.checks import rounding as rounding
from losskit.checker.checks import slopes as slopes
from losskit.checker.checks import unread as unread
from losskit.checker.checks import arguments as arguments
from losskit.checker.checks import masks as masks
from losskit.checker.checks import jumps as jumps
from losskit.checker.checks import cut_terms as cut_terms
from losskit.checker.checks import focal as focal
from losskit.checker.checks import shapes as shapes
from losskit.checker.checks import ignored as ignored
from losskit.checker.checks import reductions as reductions
from losskit.checker.checks import several_tensors as several_tensors
from losskit.checker.checks import documented as documented
from losskit.checker.checks import citizenship as citizenship
from losskit.checker.checks import state as state
from losskit.checker.checks import unregistered as unregistered
from losskit.checker.checks import untrained as untrained
from losskit.checker.checks import replayed as replayed
from losskit.checker.checks import labels as labels
from losskit.checker.checks import identities as identities
from losskit.checker.checks import cost as cost
from losskit.checker.checks import batch as batch
from losskit.checker.checks import batch_gradient as batch_gradient
