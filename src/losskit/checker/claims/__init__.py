"""What losses of each kind obey, one file per family. Importing them registers them."""

from losskit.checker.claims import boxes as boxes
from losskit.checker.claims import by_roles as by_roles
from losskit.checker.claims import evidential as evidential
from losskit.checker.claims import focal as focal
from losskit.checker.claims import ordinal as ordinal
from losskit.checker.claims import smoothing as smoothing
from losskit.checker.claims import tokens as tokens
