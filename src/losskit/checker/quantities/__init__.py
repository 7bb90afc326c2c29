"""Quantities: variables that have the name of something known are compared with what it is."""

from losskit.checker.quantities import agents as agents
from losskit.checker.quantities import densities as densities
from losskit.checker.quantities import promised as promised
