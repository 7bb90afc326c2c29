"""Losses compared with the formula of their name: what compares, `formulas` to compare with, `edits` of the code."""

from losskit.checker.references import departs as departs
from losskit.checker.references import formulas as formulas
from losskit.checker.references import one_edit as one_edit
