"""The choice among the forms that a loss fits, or of one that explains why it fits none."""

from __future__ import annotations

import itertools

from losskit.checker import fallback, fits, roles
from losskit.checker.attempts import Attempts
from losskit.checker.calling import Call
from losskit.checker.groups import Fitting, sharpest
from losskit.checker.probe import SPATIAL, Chosen, Probe
from losskit.checker.spec import Unsure
from losskit.checker.trial import DoesNotFit, Form, Trial


def decided(probe: Probe, tried: Attempts) -> Chosen:
    """The form among those that fit."""
    fitting = sharpest(tried.fitting)
    form, spatial, trial = fitting[0]
    rival = _overlap(probe, form, trial)
    if rival is not None:
        return rival
    fitting = _unambiguous(probe, fitting)
    form, spatial, trial = fitting[0]
    trial = fallback.other_side(probe, form, trial)
    also = [each for each, _, _ in fitting[1:]]
    return form, spatial, trial, also, [f"a lower loss follows the correct prediction with {' '.join(form.key)}"]


def _overlap(probe: Probe, form: Form, trial: Trial) -> Chosen | None:
    """The overlap of masks that a loss of numbers may be, according to its names."""
    if (
        form.scores not in ("values", "rates")
        or probe.said.anything
        or trial.way.wraps
        or form.layout not in ("same", "counts", "bare")
    ):
        return None
    hints = probe.hints.replace("masked", "")
    for extra in trial.way.extras:
        hints = hints.replace(extra.name, "")
    numbers = any(word in hints for word in roles.NUMBERS)
    if numbers or not any(word in hints for word in roles.OVERLAPS):
        return None
    call = Call(2, trial.way)
    for scores, spatial in itertools.product(("logits", "probabilities"), SPATIAL):
        rival, other = Form("binary", scores, form.layout.replace("counts", "same")), probe.trial(call, spatial)
        try:
            fits.fits_labels(other, rival)
        except DoesNotFit:
            continue
        return rival, spatial, other, [], ["its names say an overlap of masks, not a loss of numbers"]
    return None


def _unambiguous(probe: Probe, fitting: Fitting) -> Fitting:
    groups: dict[tuple[str, str], set[str]] = {}
    for each, _, _ in fitting:
        groups.setdefault((each.kind, each.layout), set()).add(each.scores)
    for (kind, _), scores in groups.items():
        if len(scores) > 1:
            inside = kind != "regression" or "sigmoid" in probe.words.code
            wanted = "probabilities" if "prob" in probe.hints or probe.says_shares() or not inside else "logits"
            wanted = "values" if "values" in scores else _shown(probe, scores) or wanted
            if wanted in scores:
                return [each for each in fitting if each[0].scores == wanted]
            raise Unsure(
                f"{probe.origin.name} could take {' or '.join(sorted(scores))} ({kind}): both give a lower loss for "
                f"correct predictions. Pass --scores {sorted(scores)[0]} or --scores {sorted(scores)[1]}."
            )
    return fitting


def _shown(probe: Probe, scores: set[str]) -> str:
    """The kind of scores that the input of the user's example has."""
    first = next((n for n in probe.required if probe.shown and probe.shown.shares(n) is not None), None)
    if probe.shown is None or first is None or not {"logits", "probabilities"} <= scores:
        return ""
    return "probabilities" if probe.shown.shares(first) else "logits"


def of_proxies(probe: Probe) -> bool:
    """Whether learned proxies determine which embeddings are correct."""
    learned = bool(fallback.columns(probe.criterion)) and not probe.said.anything
    return learned and bool(probe.required) and roles.embeds(probe.required[0])


def explained(probe: Probe, tried: Attempts) -> Chosen | None:
    """Nothing fits: the user's options decide, or the form that a single fault explains."""
    said = probe.said
    ways = {form.key for form, _, _, _ in tried.running}
    if said.kind and (len(ways) == 1 or (said.scores and ways)):
        form, spatial, trial, reason = tried.running[0]
        return form, spatial, trial, [], [f"as given by options; it would not have been chosen: {reason}"]
    in_order = tried.running
    running = sorted(in_order, key=lambda each: not each[0].labels)
    if of_proxies(probe):
        running = []
    if not said.anything and running:
        found = (
            fallback.halves(probe)
            or fallback.without_gradient(running)
            or fallback.rows_of_four(probe, running)
            or fallback.negated(probe, in_order)
            or fallback.by_last(running)
            or fallback.nearest([each for each in running if each[0].labels])
            or fallback.named(probe, running)
            or fallback.documented(probe, running)
            or fallback.nearest(running)
        )
        if found is not None:
            return found
    if not said.anything and not tried.running and (found := fallback.never_finite(probe)) is not None:
        return found
    # A loss of a prediction and its target that fits nothing may be wrong: shapes alone would not tell.
    pair = len(probe.required) == 2 and roles.are_usual(probe.required) and not fallback.columns(probe.criterion)
    guess = not running or not pair or all(name in probe.words.shapes for name in probe.required)
    guess = guess or roles.unbounded(probe.words) or roles.of_lists(probe.words) or roles.of_shapes(probe.words)
    return fallback.by_shapes(probe) if guess and not said.anything else None
