"""What a loss takes: concluded from trial calls, from the definition of losskit's own losses, or from options.

Names are hints for the order of the arguments, and decide where behaviour leaves two forms; the rest is behaviour:
which calls are refused, and whether a lower loss follows the correct prediction.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from losskit.checker import as_shown, choice, examples, fallback, fits, refusal, search, several
from losskit.checker.attempts import Attempts
from losskit.checker.attributes import ignored_of, samples_of
from losskit.checker.calling import INSIDE, Call
from losskit.checker.groups import NARROW
from losskit.checker.origin import Origin, tensor_parameters
from losskit.checker.own import forms_of
from losskit.checker.probe import FLAT, SIGNAL, SPATIAL, WIDE, WINDOWS, Chosen, Probe
from losskit.checker.shown import Shown
from losskit.checker.spec import Spec, Unsure
from losskit.checker.stated import Stated
from losskit.checker.trial import Form, Trial


def conclude(origin: Origin, shown: Shown | None = None, **said: Any) -> Spec:
    """What the loss takes; Unsure if that cannot be determined."""
    options = Stated(**said)
    criterion = origin.build()
    names = _free(tensor_parameters(criterion), origin)
    own = [Form(*each) for each in forms_of(criterion)]
    probe = Probe(origin, options, criterion, names, shown)
    if own:
        return _spec(probe, *_among_own(probe, own))
    try:
        return _spec(probe, *_by_trial(probe))
    except Unsure as error:
        origin.samples = 0 if origin.samples else samples_of(criterion, origin)
        if origin.samples:
            return conclude(origin, shown, **said)
        if "NoneType" not in str(error):
            raise
        needed = Probe(origin, options, criterion, [_needed(each) for each in names], shown)
        if needed.required == probe.required:
            raise
        return _spec(needed, *_by_trial(needed))


def _free(names: list[inspect.Parameter], origin: Origin) -> list[inspect.Parameter]:
    """The parameters that have no value in every call; by name, if those that have one come between them."""
    free = [each for each in names if each.name not in origin.called]
    if free == names[: len(free)]:
        return free
    return [each.replace(kind=each.KEYWORD_ONLY) for each in free]


def _needed(parameter: inspect.Parameter) -> inspect.Parameter:
    """The same parameter, without a default of None: an option may make it necessary."""
    return parameter.replace(default=parameter.empty) if parameter.default is None else parameter


def _among_own(probe: Probe, own: list[Form]) -> Chosen:
    """The first form of a losskit loss that matches the options."""
    for n, form in enumerate(own):
        if not probe.said.allows(form):
            continue
        call = Call(len(examples.tensors_of(*form.key)), probe.way(labels=form.labels))
        for spatial in probe.spatials(form):
            trial = probe.trial(call, spatial)
            if trial.runs(form):
                also = [each for each in own if each != form]
                return form, spatial, trial, also, [] if n == 0 else ["requested by options"]
    known = "; ".join(" ".join(form.key) for form in own)
    raise Unsure(f"{probe.origin.name} takes {known} (kind scores target); it did not run with {refusal.asked(probe)}.")


def _by_trial(probe: Probe) -> Chosen:
    """The form that trial calls fit, or the one that names and documentation leave."""
    exact = as_shown.as_shown(probe) if probe.shown is not None and probe.shown.exact else None
    if exact is not None:
        return exact
    if not probe.said.anything and search.documents_dicts(probe) and (by := fallback.by_shapes(probe)) is not None:
        return by
    if not probe.said.anything and probe.shown is None and search.documents_narrow_mask(probe):
        usual, probe.calls = probe.calls, [Call(len(probe.required), probe.way())]
        if (by := fallback.by_shapes(probe)) is not None:
            return by
        probe.calls = usual
    if not probe.said.anything and probe.shown is None and (by := fallback.rotations(probe)) is not None:
        return by
    tried = Attempts(probe)
    inside = any(call.way.inside for call in probe.calls)
    if inside or not tried.possible():
        loose = fallback.with_model(probe) if inside else None if probe.said.anything else fallback.by_shapes(probe)
        if loose is None:
            raise refusal.unsure(probe, refusal.no_form(probe))
        return loose
    tried.run()
    found = choice.decided(probe, tried) if tried.fitting else choice.explained(probe, tried)
    if found is not None:
        return found
    error = refusal.unsure(probe, refusal.no_fit(probe, tried))
    if tried.running and not choice.of_proxies(probe):
        form, spatial, trial, _ = min(tried.running, key=lambda each: not each[0].labels)
        error.nearest = _spec(probe, form, spatial, trial, [], ["it runs"])
    raise error


def _spec(probe: Probe, form: Form, spatial: tuple[int, ...], trial: Trial, also: list[Form], why: list[str]) -> Spec:
    criterion, origin = probe.criterion, probe.origin
    order: tuple[tuple[int, ...], ...] = SPATIAL if form.labels else FLAT
    wide = probe.said.shape is None and (form.labels or (form.kind in WIDE and form.layout not in NARROW))
    wide = wide and spatial not in (*WINDOWS, SIGNAL)
    if wide and form.kind == "regression" and spatial in order:  # the earlier sizes were tried, and did not fit
        order = order[order.index(spatial) :]
    order = tuple(dict.fromkeys([*order, spatial]))
    spatials = tuple(s for s in order if s == spatial or probe.beside(trial, s).runs(form)) if wide else (spatial,)
    tensors = examples.tensors_of(*form.key)
    if form.layout.startswith(several.SEVERAL) or form.layout == "above":
        left = [name for name in probe.given if name not in {each.name for each in trial.way.extras}]
        left = left[: 2 if form.layout == "above" else len(several.parts_of(form.layout)) - trial.way.inside]
        named = (INSIDE,) * trial.way.inside + tuple(trial.way.tensor_names(left))
        tensors = tuple(named[trial.way.order(at)] for at in range(len(named)))
    plain = [n.name for n in probe.names if n.name not in {each.name for each in trial.way.extras}]
    taken = set(plain[: len(tensors) - trial.way.inside - sum(wrap.count - 1 for wrap in trial.way.wraps)])
    arguments = tuple(p.name for p in probe.names if p.name not in taken)
    name, ignored = ignored_of(criterion, origin)
    return Spec(
        kind=form.kind,
        scores=form.scores,
        layout=form.layout,
        tensors=tensors,
        classes=trial.draw(form, None, 1.0, 0).classes,
        spatial=spatial,
        spatials=spatials,
        softmax=form.kind == "multiclass" and form.scores == "logits" and fits.shift_invariant(trial, form),
        way=replace(trial.way, labels=form.labels or form.layout == "next"),
        part=trial.part,
        scalar=trial.scalar,
        options=tuple(origin.options),
        arguments=arguments,
        ignore_index=ignored,
        ignore_name=name,
        also=tuple(each.key for each in also),
        because=tuple(why),
    )
