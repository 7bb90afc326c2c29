"""Quantities: variables that have the name of something known are compared with what it is."""

from losskit.checker.quantities import adversaries as adversaries
from losskit.checker.quantities import agents as agents
from losskit.checker.quantities import areas as areas
from losskit.checker.quantities import box_scores as box_scores
from losskit.checker.quantities import boxes as boxes
from losskit.checker.quantities import contrasts as contrasts
from losskit.checker.quantities import coordinates as coordinates
from losskit.checker.quantities import densities as densities
from losskit.checker.quantities import depths as depths
from losskit.checker.quantities import distances as distances
from losskit.checker.quantities import focal as focal
from losskit.checker.quantities import gradients as gradients
from losskit.checker.quantities import images as images
from losskit.checker.quantities import information as information
from losskit.checker.quantities import kernels as kernels
from losskit.checker.quantities import margins as margins
from losskit.checker.quantities import masking as masking
from losskit.checker.quantities import overlaps as overlaps
from losskit.checker.quantities import pixels as pixels
from losskit.checker.quantities import poses as poses
from losskit.checker.quantities import probabilities as probabilities
from losskit.checker.quantities import promised as promised
from losskit.checker.quantities import scores as scores
from losskit.checker.quantities import statistics as statistics
from losskit.checker.quantities import targets as targets
