"""Quantities: variables that have the name of something known are compared with what it is."""

from losskit.checker.quantities import agents as agents
from losskit.checker.quantities import averages as averages
from losskit.checker.quantities import counts as counts
from losskit.checker.quantities import densities as densities
from losskit.checker.quantities import derivatives as derivatives
from losskit.checker.quantities import diffusion as diffusion
from losskit.checker.quantities import divergences as divergences
from losskit.checker.quantities import entropies as entropies
from losskit.checker.quantities import errors as errors
from losskit.checker.quantities import expectiles as expectiles
from losskit.checker.quantities import language as language
from losskit.checker.quantities import likelihoods as likelihoods
from losskit.checker.quantities import orders as orders
from losskit.checker.quantities import policies as policies
from losskit.checker.quantities import preferences as preferences
from losskit.checker.quantities import promised as promised
from losskit.checker.quantities import returns as returns
from losskit.checker.quantities import schedules as schedules
from losskit.checker.quantities import signals as signals
from losskit.checker.quantities import spreads as spreads
from losskit.checker.quantities import values as values
