"""Quantities: variables that have the name of something known are compared with what it is."""

from losskit.checker.quantities import promised as promised
from losskit.checker.quantities import tables as tables
