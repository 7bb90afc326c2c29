"""What a loss is taken for where no form fits: the reading that one fault explains, or that names confirm."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from torch import nn

from losskit.checker import examples, fits, roles
from losskit.checker.calling import Call, Way
from losskit.checker.groups import GROUPS, LAST
from losskit.checker.origin import Criterion
from losskit.checker.trial import DoesNotFit, Form, Trial

if TYPE_CHECKING:
    from losskit.checker.probe import Chosen, Probe

Running = tuple[Form, tuple[int, ...], Trial, str]


def _plain(trial: Trial) -> Trial:
    return trial if trial.sign > 0 else trial.negated()


def without_gradient(running: list[Running]) -> Chosen | None:
    """The likeliest reading of a loss that gives no gradient in any."""
    for form, _, trial, _ in running:
        input, *others = examples.make(*form.key, trial.draw(form, None, 0.5, 0))
        if bool(trial.slope(input, *others).ne(0).any()):
            return None
    readings = [
        (form, spatial, trial.negated() if flip else trial) for flip in (0, 1) for form, spatial, trial, _ in running
    ]
    form, spatial, trial = next((each for each in readings if fits.roughly(each[2], each[0])), readings[0])
    return form, spatial, _plain(trial), [], ["no reading of it gives a gradient"]


def rows_of_four(probe: Probe, running: list[Running]) -> Chosen | None:
    """Boxes, where the names say it and three numbers in a row are refused."""
    if roles.says(roles.BOXES, probe.hints) and probe.classes == 3:
        for form, spatial, trial, reason in running:
            if form.key == roles.BOXES and not probe.beside(trial, ()).runs(Form("regression", "values", "same")):
                return form, spatial, trial, [], [f"its names say boxes, it takes rows of four, and yet {reason}"]
    return None


def negated(probe: Probe, running: list[Running]) -> Chosen | None:
    """A reading in which minus the loss follows the right answer."""
    for form, spatial, trial, _ in running:
        group = next((group for group in GROUPS if group.holds(form)), None)
        if group is None or form.kind not in ("binary", "multilabel", "multiclass", "regression", "pairs"):
            continue
        if form.key == roles.TRIPLETS and not roles.says(form.key, probe.hints):
            continue  # other formulas of three tensors look like that too
        if form.kind == "regression" and roles.says(roles.BOXES, probe.hints):
            continue  # of numbers that are no boxes it may make anything
        try:
            group.fits(trial.negated(), form)
        except DoesNotFit:
            continue
        return form, spatial, _plain(trial), [], ["minus the loss follows the right answer in this reading"]
    return None


def by_last(running: list[Running]) -> Chosen | None:
    """A form that nearly every loss fits."""
    for fit, held in LAST:
        for form, spatial, trial, _ in running:
            try:
                if held(form):
                    fit(trial, form)
                    return form, spatial, trial, [], ["it fits nothing that says more"]
            except DoesNotFit:
                continue
    return None


def named(probe: Probe, running: list[Running]) -> Chosen | None:
    """What its names alone say."""
    for form, spatial, trial, reason in running:
        if roles.says(form.key, probe.hints):
            return form, spatial, trial, [], [f"its names say it, and yet {reason}"]
    if (
        len(probe.required) == 2
        and probe.required[0].lower() in roles.INPUTS
        and probe.required[1].lower() in roles.TARGETS
    ):
        for form, spatial, trial, reason in running:
            if form.key == ("regression", "values", "same") and fits.monotone(trial, form):
                return form, spatial, trial, [], [f"its names say a prediction and a target, and yet {reason}"]
    return None


def nearest(running: list[Running]) -> Chosen | None:
    """A reading in which right answers cost less than random and wrong ones, whatever else does not fit."""
    for form, spatial, trial, reason in running:
        plain = form.labels or form.key == ("regression", "values", "same")
        plain = plain and "neither is a label" not in reason
        if plain and fits.roughly(trial, form):
            return form, spatial, trial, [], [f"right answers cost less than wrong ones, and yet {reason}"]
    return None


def by_shapes(probe: Probe) -> Chosen | None:
    """Tensors of shapes that the loss takes, where nothing is known of what they mean."""
    if not 1 < len(probe.required) <= 4 or any(map(roles.is_option, probe.required)):
        return None
    sizes = [probe.classes, *columns(probe.criterion)]
    for shapes, classes, spatial in itertools.product(
        roles.shapes_of(probe.required), dict.fromkeys(sizes), ((), (4, 5), (2,))
    ):
        probe.classes = classes
        form = Form("penalty", "values", f"{examples.SEVERAL} {shapes}")
        trial = probe.trial(Call(len(shapes), Way()), spatial)
        if trial.runs(form):
            made = examples.make(*form.key, trial.draw(form, None, 1.0, 0))
            if bool(trial.slope(*made).any()):
                return form, spatial, trial, [], ["nothing says more than the shapes with which it runs"]
    return None


def columns(criterion: Criterion) -> list[int]:
    """How long the vectors are that a loss compares with weights of its own."""
    held = [*criterion.parameters(), *criterion.buffers()] if isinstance(criterion, nn.Module) else []
    return [n for t in held if t.dim() == 2 for n in reversed(t.shape) if n > 1]
