"""What a loss takes: concluded from trial calls, from the definition of losskit's own losses, or from options.

Names are hints for the order of the arguments, and decide where behaviour leaves two forms; the rest is behaviour:
which calls are refused, and whether a lower loss follows the correct prediction.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from losskit.checker import examples, fallback, fits, roles, several
from losskit.checker.attributes import classes_of, ignored_of, numbers_in
from losskit.checker.calling import INSIDE, Call, Way, calls_of, required_of
from losskit.checker.groups import BOXES, GROUPS, HEATMAPS, NARROW, RANKS, Fitting, Group, is_last, sharpest
from losskit.checker.origin import Criterion, Origin, tensor_parameters
from losskit.checker.own import forms_of
from losskit.checker.spec import Spec, Unsure
from losskit.checker.stated import Stated
from losskit.checker.trial import DoesNotFit, Form, Trial
from losskit.checker.uses import uses_of
from losskit.checker.words import words_of

_SPATIAL = ((4, 5), (), (5,), (4, 5, 6))
_FLAT = ((), (4, 5), (5,), (4, 5, 6))
_LARGE = (16, 18)  # for losses with a window
_SIGNAL = (2048,)  # for losses of sound
_WINDOWS = (_LARGE, (32, 32), (192, 192))
_COUNTS = (2, 4, 5, 10, 6, 7, 8, 9, 11, 19, 20, 21, 100)  # common numbers of classes
_ENOUGH = 800  # refused trial calls after which no other number of classes is tried
_SCORED = ("logits", "probabilities", "log_probabilities")
_LABELS = [
    *[Form("binary", s, layout) for layout in ("same", "no-channel", "bare", "same-integers") for s in _SCORED],
    Form("binary", "logits", "signs"),
    *[Form("multilabel", s, "same") for s in _SCORED],
    *[Form("multiclass", s, layout) for layout in ("indices", "indices-channel", "one-hot") for s in _SCORED],
]
_OTHERS = [Form(*key) for key in examples.OTHERS]
_WIDE = ("regression", "distribution")  # kinds whose tensors may have spatial dimensions


@dataclass
class Tried:
    """The result of trying forms."""

    fitting: list[tuple[Form, tuple[int, ...], Trial]] = field(default_factory=list)
    running: list[tuple[Form, tuple[int, ...], Trial, str]] = field(default_factory=list)  # and why it does not fit
    refusals: list[str] = field(default_factory=list)
    count: int = 0


def conclude(origin: Origin, **said: Any) -> Spec:
    """What the loss takes; Unsure if that cannot be determined."""
    options = Stated(**said)
    criterion = origin.build()
    names = tensor_parameters(criterion)
    own = [Form(*each) for each in forms_of(criterion)]
    probe = Probe(origin, options, criterion, names)
    if own:
        return _spec(probe, *probe.among_own(own))
    return _spec(probe, *probe.by_trial())


Chosen = tuple[Form, tuple[int, ...], Trial, list[Form], list[str]]


def _spec(probe: Probe, form: Form, spatial: tuple[int, ...], trial: Trial, also: list[Form], why: list[str]) -> Spec:
    criterion, origin = probe.criterion, probe.origin
    order: tuple[tuple[int, ...], ...] = _SPATIAL if form.labels else _FLAT
    wide = probe.said.shape is None and (form.labels or (form.kind in _WIDE and form.layout not in NARROW))
    wide = wide and spatial not in (*_WINDOWS, _SIGNAL)
    if wide and form.kind == "regression":  # the earlier sizes were tried, and did not fit
        order = order[order.index(spatial) :]
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


class Probe:
    """Tries the forms that a loss could take."""

    def __init__(self, origin: Origin, said: Stated, criterion: Criterion, names: list[inspect.Parameter]) -> None:
        self.origin = origin
        self.said = said
        self.criterion = criterion
        self.names = names
        self.required = required_of(names)[0]
        optional = [p.name for p in names[1:2] if len(self.required) == 1 and p.name.lower() in roles.TARGETS]
        self.given = [*self.required, *optional]  # in the longest call
        self.uses = uses_of(criterion, self.required)
        self.dimensions: dict[tuple[Form, int, bool, bool], list[int]] = {}  # of the tensors of a form
        self.hints = " ".join([origin.name, *(p.name for p in names)]).lower()
        self.words = words_of(criterion, origin.name, [p.name for p in names])
        terms = classes_of(criterion) or 2
        self.calls = [each.with_terms(terms) for each in calls_of(names, self.words, self.uses)]
        self.classes = self.usual_classes = said.classes or classes_of(criterion) or 3

    def trial(self, call: Call, spatial: tuple[int, ...], last: bool = False, labels: bool = False) -> Trial:
        way = replace(call.way, last=last, labels=labels or call.way.labels)
        trial = Trial(self.origin, way, self.classes, spatial)
        trial.ignored = ignored_of(self.criterion, self.origin)[1]
        return trial

    def beside(self, trial: Trial, spatial: tuple[int, ...]) -> Trial:
        """The same trial with other spatial sizes."""
        made = Trial(self.origin, trial.way, trial.classes, spatial)
        made.ignored = trial.ignored
        return made

    def spatials(self, form: Form) -> Iterable[tuple[int, ...]]:
        if self.said.shape is not None:
            return (self.said.shape,)
        if form.layout == "images":
            return self._large()
        if form.key == ("penalty", "values", "alone"):
            return _SPATIAL
        if not form.labels and (form.kind not in _WIDE or form.layout in NARROW):
            return ((),)
        return (*(_SPATIAL if form.labels else _FLAT), *self._large())

    def _large(self) -> tuple[tuple[int, ...], ...]:
        """Sizes for losses with a window; also even ones for those that halve an image, by their names."""
        if self.words.say(r"multi.?scale.*ssim|ms.?ssim") or re.search(r"ms_?ssim", self.hints):
            return _WINDOWS
        if re.search(r"stft|spectrogram|\bmel\b|audio|waveform", f"{self.words.all} {self.words.code}"):
            return _LARGE, _SIGNAL
        halves = re.search(r"pyramid|scale|wavelet|haar|percept|vgg|lpips|patch|spectr|fft", self.hints)
        return _WINDOWS[:2] if halves else (_LARGE,)

    def among_own(self, own: list[Form]) -> Chosen:
        """The first form of a losskit loss that matches the options."""
        for n, form in enumerate(own):
            if not self.said.allows(form):
                continue
            call = Call(len(examples.tensors_of(*form.key)), Way(labels=form.labels))
            for spatial in self.spatials(form):
                trial = self.trial(call, spatial)
                if trial.runs(form):
                    also = [each for each in own if each != form]
                    return form, spatial, trial, also, [] if n == 0 else ["requested by options"]
        known = "; ".join(" ".join(form.key) for form in own)
        raise Unsure(f"{self.origin.name} takes {known} (kind scores target); it did not run with {self._asked()}.")

    def _asked(self) -> str:
        said = (("--kind", self.said.kind), ("--scores", self.said.scores), ("--target", self.said.target))
        return " ".join(f"{name} {value}" for name, value in said if value) or "its usual call"

    def by_trial(self) -> Chosen:
        tried = Tried()
        named = [Form(*key) for key in roles.ONLY_BY_NAME if not roles.says(key, self.hints)]
        known = [form for form in (*_OTHERS, *_LABELS) if self.said.allows(form) and form not in named]
        if not self.said.anything:
            known = [f for f in known if not roles.contradicts(f.key, f.labels, self.required, self.words)]
        if any(call.way.inside for call in self.calls):
            inside = fallback.with_model(self)
            if inside is not None:
                return inside
            raise self._unsure(self._no_form())
        if not any(self._taking(call, known) for call in self.calls):
            loose = None if self.said.anything else fallback.by_shapes(self)
            if loose is not None:
                return loose
            raise self._unsure(self._no_form())
        for classes in self._counts():
            self.classes = classes
            for call in self.calls:
                if self._try_groups(call, self._taking(call, known), tried):
                    return self._decided(tried)
            if tried.running or tried.count > _ENOUGH:
                break
        return self._fallback(tried)

    def _collect(self, call: Call, wanted: list[Form], tried: Tried) -> None:
        """Collect the forms that run among those that nearly every loss fits."""
        for form in wanted:
            for spatial in self.spatials(form):
                if is_last(form) and (trial := self.trial(call, spatial)).runs(form):
                    tried.running.append((form, spatial, trial, "nearly every loss fits it"))

    def _counts(self) -> list[int]:
        """Numbers of classes to try: those found in the loss, then the common ones."""
        if self.said.classes:
            return [self.classes]
        if classes_of(self.criterion):  # the weights of classes may be compared with embeddings of another size
            return list(dict.fromkeys([self.classes, *fallback.columns(self.criterion)]))
        own = (*fallback.columns(self.criterion), *numbers_in(self.criterion))
        return list(dict.fromkeys([self.classes, *own, *_COUNTS]))[:16]

    def _taking(self, call: Call, forms: list[Form]) -> list[Form]:
        """The forms with as many tensors as the call takes; those known by shape only, last."""
        return [form for form in forms if len(examples.tensors_of(*form.key)) == call.arity]

    def _try_groups(self, call: Call, wanted: list[Form], tried: Tried) -> bool:
        """Whether a form of one of the groups fits."""
        first = [group for group, said in self._named_groups() if said]
        for group in (*first, *GROUPS):
            held = [form for form in wanted if group.holds(form)]
            for kind in dict.fromkeys(form.kind for form in held):
                self._try(call, [form for form in held if form.kind == kind], group.fits, tried)
            if tried.fitting:
                return True
        self._collect(call, wanted, tried)
        return False

    def _named_groups(self) -> list[tuple[Group, bool]]:
        """Groups that are tried first if the names or the documentation say so."""
        boxes = re.search(r"\bbox|bbox|boxes", self.words.all) is not None
        return [
            (BOXES, roles.says(roles.BOXES, self.hints) or boxes),
            (RANKS, roles.of_thresholds(self.words)),
            (HEATMAPS, re.search(roles.HEATMAPS, self.words.all) is not None),
        ]

    def _try(self, call: Call, kind: list[Form], fit: Callable[[Trial, Form], None], tried: Tried) -> None:
        """Try the forms of one kind: the first layout that fits, in the first shape, with every kind of scores."""
        for spatial in dict.fromkeys(s for form in kind for s in self.spatials(form)):
            for layout in dict.fromkeys(form.layout for form in kind):
                for form in (f for f in kind if f.layout == layout and spatial in self.spatials(f)):
                    self._try_one(call, form, spatial, fit, tried)
                own = [each for each in tried.fitting if each[0].kind == kind[0].kind]
                if any(form.scores != "probabilities" for form, _, _ in own):
                    return
                # A softmax over another dimension leaves what looks like probabilities: one more shape may tell.
                tried.fitting = [each for each in tried.fitting if each not in own[1:]]

    def _try_one(
        self, call: Call, form: Form, spatial: tuple[int, ...], fit: Callable[[Trial, Form], None], tried: Tried
    ) -> None:
        lasts = (False, True) if form.layout == "indices" and spatial else (False,)
        for last in lasts:
            trial = self.trial(call, spatial, last, form.labels or form.layout == "next")
            if not self._as_documented(trial, form):
                continue
            tried.count += 1
            if not trial.runs(form):
                tried.refusals += [trial.said] if trial.said else []
                continue
            try:
                fit(trial, form)
            except DoesNotFit as error:
                tried.running.append((form, spatial, trial, str(error)))
            else:
                tried.fitting.append((form, spatial, trial))
                return

    def _as_documented(self, trial: Trial, form: Form) -> bool:
        """Whether the tensors of a form have as many dimensions as the documentation says."""
        if self.said.anything or not self.words.shapes or self.words.broadcast:
            return True
        plain = [name for name in self.required if name not in {each.name for each in trial.way.extras}]
        key = (form, len(trial.spatial), trial.way.last, trial.way.swapped)
        if key not in self.dimensions:
            made = trial.way.ordered(examples.make(*form.key, trial.draw(form, None, 1.0, 0)))
            self.dimensions[key] = [tensor.dim() for tensor in made]
        for name, count in zip(plain, self.dimensions[key], strict=False):
            sizes = self.words.shapes.get(name, ("*",))
            if not {"*", "..."} & set(sizes) and len(sizes) != count:
                return False
        return True

    def _decided(self, tried: Tried) -> Chosen:
        fitting = tried.fitting = sharpest(tried.fitting)
        form, spatial, trial = fitting[0]
        rival = self._overlap(form, trial)
        if rival is not None:
            return rival
        fitting = self._unambiguous(fitting)
        form, spatial, trial = fitting[0]
        trial = fallback.other_side(self, form, trial)
        also = [each for each, _, _ in fitting[1:]]
        return form, spatial, trial, also, [f"a lower loss follows the correct prediction with {' '.join(form.key)}"]

    def _overlap(self, form: Form, trial: Trial) -> Chosen | None:
        """The overlap of masks that a loss of numbers may be, according to its names."""
        if form.scores not in ("values", "rates") or self.said.anything or form.layout not in ("same", "counts"):
            return None
        hints = self.hints.replace("masked", "")
        for extra in trial.way.extras:
            hints = hints.replace(extra.name, "")
        numbers = any(word in hints for word in roles.NUMBERS)
        if numbers or not any(word in hints for word in roles.OVERLAPS):
            return None
        call = Call(2, trial.way)
        for scores, spatial in itertools.product(("logits", "probabilities"), _SPATIAL):
            rival, other = Form("binary", scores, "same"), self.trial(call, spatial)
            try:
                fits.fits_labels(other, rival)
            except DoesNotFit:
                continue
            return rival, spatial, other, [], ["its names say an overlap of masks, not a loss of numbers"]
        return None

    def _unambiguous(self, fitting: Fitting) -> Fitting:
        groups: dict[tuple[str, str], set[str]] = {}
        for each, _, _ in fitting:
            groups.setdefault((each.kind, each.layout), set()).add(each.scores)
        for (kind, _), scores in groups.items():
            if len(scores) > 1:
                inside = kind != "regression" or "sigmoid" in self.words.code
                wanted = "probabilities" if "prob" in self.hints or self._says_shares() or not inside else "logits"
                wanted = "values" if "values" in scores else wanted
                if wanted in scores:
                    return [each for each in fitting if each[0].scores == wanted]
                raise Unsure(
                    f"{self.origin.name} could take {' or '.join(sorted(scores))} ({kind}): both give a lower loss for "
                    f"correct predictions. Pass --scores {sorted(scores)[0]} or --scores {sorted(scores)[1]}."
                )
        return fitting

    def _says_shares(self) -> bool:
        """Whether the documentation says that the scores are probabilities."""
        return self.words.say(r"probabilit|after (a|the) (soft|sig)m|\[0, 1\]") and not self.words.say("logits")

    def _fallback(self, tried: Tried) -> Chosen:
        """Nothing fits: the user's options decide, or the form that a single fault explains."""
        said = self.said
        ways = {form.key for form, _, _, _ in tried.running}
        if said.kind and (len(ways) == 1 or (said.scores and ways)):
            form, spatial, trial, reason = tried.running[0]
            return form, spatial, trial, [], [f"as given by options; it would not have been chosen: {reason}"]
        in_order = tried.running
        running = sorted(in_order, key=lambda each: not each[0].labels)
        learned = bool(fallback.columns(self.criterion))
        if learned and self.required and roles.embeds(self.required[0]) and not said.anything:
            running = []  # learned proxies determine which embeddings are correct
        if not said.anything and running:
            found = (
                fallback.without_gradient(running)
                or fallback.rows_of_four(self, running)
                or fallback.negated(self, in_order)
                or fallback.by_last(running)
                or fallback.nearest([each for each in running if each[0].labels])
                or fallback.named(self, running)
                or fallback.documented(self, running)
                or fallback.nearest(running)
            )
            if found is not None:
                return found
        guess = not running or len(self.required) > 2 or learned
        guess = guess or all(name in self.words.shapes for name in self.required)
        guess = guess or roles.unbounded(self.words) or roles.of_lists(self.words) or roles.of_shapes(self.words)
        loose = fallback.by_shapes(self) if guess and not said.anything else None
        if loose is not None:
            return loose
        error = self._unsure(self._no_fit(tried))
        if running:
            form, spatial, trial, _ = running[0]
            error.nearest = _spec(self, form, spatial, trial, [], ["it runs"])
        raise error

    def _unsure(self, said: str) -> Unsure:
        """An error with tensors by name alone, for the checks of what a loss claims to be."""
        error = Unsure(said)
        layout = f"{several.SEVERAL} {'n' * len(self.required)}"
        error.nearest = Spec("penalty", "values", layout, tuple(self.required), self.classes, ())
        error.nearest = replace(error.nearest, options=tuple(self.origin.options))
        return error

    def _no_form(self) -> str:
        needs = ", ".join(self.required) or "nothing by name"
        count = len(self.required)
        return (
            f"{self.origin.name}: its call needs {needs}, and no known kind of loss takes {count} "
            f"{'tensor' if count == 1 else 'tensors'}"
            f"{' with ' + self._asked() if self.said.anything else ''}. Bind an argument that is not a tensor with "
            "--with name=value; otherwise, give a function of (input, target)."
        )

    def _no_fit(self, tried: Tried) -> str:
        said = f"{self.origin.name}: cannot determine what it takes."
        if not tried.running:
            first, *others = dict.fromkeys(tried.refusals or ["it returns no finite number"])
            why = f"{first}{f' Another error: {others[-1]}' if others else ''}"
            return (
                f"{said} Every trial call failed; one error: {why} Its call takes ({', '.join(self.required)}). "
                f"Specify what it takes: --kind, --scores, --target, --classes, --shape.{self._bind()}"
            )
        seen: dict[tuple[str, str], str] = {}
        for form, _, _, reason in tried.running:
            seen.setdefault((form.kind, form.scores), reason)
        ran = "".join(f"\n  --kind {k} --scores {s}: {reason}" for (k, s), reason in list(seen.items())[:6])
        return f"{said} It ran with these, but each looks wrong; pass the one you mean.{self._bind()}{ran}"

    def _bind(self) -> str:
        if len(self.required) < 3:
            return ""
        return f" If {self.required[-1]} is not a tensor, bind it with --with {self.required[-1]}=value."
