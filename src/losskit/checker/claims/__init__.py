"""What losses of each kind obey, one file per family. Importing them registers them."""

from losskit.checker.claims import bootstraps as bootstraps
from losskit.checker.claims import boxes as boxes
from losskit.checker.claims import by_roles as by_roles
from losskit.checker.claims import classes as classes
from losskit.checker.claims import distillation as distillation
from losskit.checker.claims import evidential as evidential
from losskit.checker.claims import focal as focal
from losskit.checker.claims import heads as heads
from losskit.checker.claims import heatmaps as heatmaps
from losskit.checker.claims import margins as margins
from losskit.checker.claims import masked as masked
from losskit.checker.claims import ordinal as ordinal
from losskit.checker.claims import overlaps as overlaps
from losskit.checker.claims import scores as scores
from losskit.checker.claims import sides as sides
from losskit.checker.claims import smoothing as smoothing
from losskit.checker.claims import terms as terms
from losskit.checker.claims import tokens as tokens
