"""Attempts: the forms of a loss that its trial calls fit, from the most specific group of forms to the last."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from torch import Tensor

from losskit.checker import examples, fallback, roles
from losskit.checker.calling import Call
from losskit.checker.groups import BOXES, GROUPS, HEATMAPS, IMAGES, RANKS, SIGNS, Fitting, Group, is_last
from losskit.checker.probe import Probe
from losskit.checker.trial import DoesNotFit, Form, Trial
from losskit.checker.uses import CONSTANT, Use

_OF_LABELS = r"binary|multi[_ -]?(class|label)"  # an option that says what the target is
_ENOUGH = 800  # refused trial calls after which no other number of classes is tried
_PATIENCE = 1.0  # seconds of CPU in slow trial calls, after which no other number of classes is tried
_SCORED = ("logits", "probabilities", "log_probabilities")
_LABELS = [
    *[Form("binary", s, layout) for layout in ("same", "no-channel", "bare", "same-integers") for s in _SCORED],
    Form("binary", "logits", "signs"),
    *[Form("multilabel", s, "same") for s in _SCORED],
    *[Form("multiclass", s, layout) for layout in ("indices", "indices-channel", "one-hot") for s in _SCORED],
]
_OTHERS = [Form(*key) for key in examples.OTHERS]


class Attempts:
    """The forms that were tried, and what came of it."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.fitting: Fitting = []
        self.running: list[tuple[Form, tuple[int, ...], Trial, str]] = []  # and why it does not fit
        self.refusals: list[str] = []
        self.count = 0
        self.made: dict[Any, list[Tensor]] = {}  # the tensors of a form

    def run(self) -> None:
        """Try the forms until one fits, with one number of classes after another."""
        probe, known = self.probe, self.known()
        for classes in probe.counts():
            probe.classes = classes
            for call in probe.calls:
                if self._try_groups(call, self._taking(call, known)):
                    return
            if probe.origin.slow > _PATIENCE:
                return  # more classes take longer still
            if (self.running and not fallback.too_narrow(probe, self.running)) or self.count > _ENOUGH:
                return

    def known(self) -> list[Form]:
        """The forms that the options allow and the names do not contradict."""
        probe = self.probe
        named = [Form(*key) for key in roles.ONLY_BY_NAME if not roles.says(key, probe.hints)]
        found = [form for form in (*_OTHERS, *_LABELS) if probe.said.allows(form) and form not in named]
        if probe.said.anything:
            return found
        plain = [name for name in probe.required if probe.uses.get(name, Use("")).sort != CONSTANT]
        return [f for f in found if not roles.contradicts(f.key, f.labels, plain, probe.words)]

    def possible(self) -> bool:
        """Whether a form has as many tensors as one of the calls."""
        return any(self._taking(call, self.known()) for call in self.probe.calls)

    def _collect(self, call: Call, wanted: list[Form]) -> None:
        """Collect the forms that run among those that nearly every loss fits."""
        for form in wanted:
            for spatial in self.probe.spatials(form):
                trial = self.probe.trial(call, spatial)
                if is_last(form) and self._as_shown(trial, form, sized=False) and trial.runs(form):
                    self.running.append((form, spatial, trial, "nearly every loss fits it"))

    def _taking(self, call: Call, forms: list[Form]) -> list[Form]:
        """The forms with as many tensors as the call takes; those known by shape only, last."""
        return [form for form in forms if len(examples.tensors_of(*form.key)) == call.arity]

    def _try_groups(self, call: Call, wanted: list[Form]) -> bool:
        """Whether a form of one of the groups fits."""
        first = [group for group, said in self._named_groups() if said]
        for group in (*first, *GROUPS):
            held = [form for form in wanted if group.holds(form)]
            for kind in dict.fromkeys(form.kind for form in held):
                self._try(call, [form for form in held if form.kind == kind], group.fits)
            if self.fitting:
                return True
        self._collect(call, wanted)
        return False

    def _named_groups(self) -> list[tuple[Group, bool]]:
        """Groups that are tried first if the names or the documentation say so."""
        boxes = re.search(r"\bbox|bbox|boxes", self.probe.words.all) is not None
        return [
            (BOXES, roles.says(roles.BOXES, self.probe.hints) or boxes),
            (SIGNS, roles.of_signs(self.probe.words)),
            (RANKS, roles.of_thresholds(self.probe.words)),
            (IMAGES, re.search(r"ms_?-?ssim|multi.?scale (ssim|structural)", self.probe.words.all) is not None),
            (HEATMAPS, re.search(roles.HEATMAPS, self.probe.words.all) is not None),
        ]

    def _try(self, call: Call, kind: list[Form], fit: Callable[[Trial, Form], None]) -> None:
        """Try the forms of one kind: the first layout that fits, in the first shape, with every kind of scores."""
        for spatial in dict.fromkeys(s for form in kind for s in self.probe.spatials(form)):
            for layout in dict.fromkeys(form.layout for form in kind):
                for form in (f for f in kind if f.layout == layout and spatial in self.probe.spatials(f)):
                    self._try_one(call, form, spatial, fit)
                own = [each for each in self.fitting if each[0].kind == kind[0].kind]
                if any(form.scores != "probabilities" for form, _, _ in own):
                    return
                # A softmax over another dimension leaves what looks like probabilities: one more shape may tell.
                self.fitting = [each for each in self.fitting if each not in own[1:]]

    def _try_one(self, call: Call, form: Form, spatial: tuple[int, ...], fit: Callable[[Trial, Form], None]) -> None:
        lasts = (False, True) if form.layout == "indices" and spatial else (False,)
        for last in lasts:
            trial = self.probe.trial(call, spatial, last, form.labels or form.layout == "next")
            if not (self._as_documented(trial, form) and self._as_shown(trial, form)):
                continue
            self.count += 1
            if not trial.runs(form):
                self.refusals += [trial.said] if trial.said else []
                continue
            try:
                fit(trial, form)
            except DoesNotFit as error:
                self.running.append((form, spatial, trial, str(error)))
            else:
                self.fitting.append((form, spatial, trial))
                return

    def _as_documented(self, trial: Trial, form: Form) -> bool:
        """Whether the tensors of a form have as many dimensions as the documentation says."""
        words = self.probe.words
        if self.probe.said.anything or not words.shapes or words.broadcast:
            return True
        if form.layout == "signs" and roles.of_signs(words):
            return True
        if any(re.fullmatch(_OF_LABELS, str(each).lower()) for each in self.probe.origin.options.values()):
            return True  # the documentation is of all kinds of labels
        plain = [name for name in self.probe.required if name not in {each.name for each in trial.way.extras}]
        for name, tensor in zip(plain, self._made(trial, form), strict=False):
            sizes = words.shapes.get(name, ("*",))
            if not {"*", "..."} & set(sizes) and len(sizes) != tensor.dim():
                return False
        return True

    def _made(self, trial: Trial, form: Form) -> list[Tensor]:
        """The tensors of a form in the order of the call."""
        key = (form, trial.spatial, trial.way.last, trial.way.swapped, trial.classes)
        if key not in self.made:
            self.made[key] = trial.way.ordered(examples.make(*form.key, trial.draw(form, None, 1.0, 0)))
        return self.made[key]

    def _as_shown(self, trial: Trial, form: Form, sized: bool = True) -> bool:
        """Whether the tensors of a form are like those of the user's example."""
        shown = self.probe.shown
        if shown is None or not shown.good or trial.way.inside:
            return True
        plain = [name for name in self.probe.required if name not in {each.name for each in trial.way.extras}]
        made = self._made(trial, form)
        if not shown.agrees(plain, made, sized):
            return False
        within = shown.shares(plain[trial.way.order(0)]) if len(plain) == len(made) else None
        return within is not False or form.scores not in ("probabilities", "log_probabilities")
