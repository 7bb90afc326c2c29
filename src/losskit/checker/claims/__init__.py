"""What losses of each kind obey, one file per family. Importing them registers them."""

from losskit.checker.claims import boxes as boxes
from losskit.checker.claims import by_roles as by_roles
