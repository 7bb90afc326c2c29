"""What a loss takes: concluded from trial calls, from what losskit's own losses say, or from options.

Names are hints for the order of the arguments alone; everything else is behaviour: which calls are refused, and
whether lower loss follows the right answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from losskit.checker import examples
from losskit.checker.origin import Criterion, Origin, call_parameters
from losskit.checker.own import forms_of
from losskit.checker.spec import KINDS, LAYOUTS, SCORES, Spec, Unsure
from losskit.checker.trial import (
    DoesNotFit,
    Form,
    Trial,
    fits_labels,
    fits_numbers,
    fits_order,
    scale_free,
    shift_invariant,
)
from losskit.core.errors import nearest

_TARGETS = {"target", "targets", "label", "labels", "y_true", "true", "truth", "gt", "ground_truth", "mask", "y"}
_INPUTS = {
    "input",
    "inputs",
    "pred",
    "preds",
    "prediction",
    "predictions",
    "y_pred",
    "output",
    "outputs",
    "logits",
    "x",
}
_SPATIAL = ((4, 5), (), (5,), (4, 5, 3))
_FLAT = ((), (4, 5), (5,), (4, 5, 3))
_LARGE = (16, 18)  # for losses that look through a window
_SCORED = ("logits", "probabilities", "log_probabilities")
_LABELS = [
    *[Form("binary", s, layout) for layout in ("same", "no-channel", "bare", "same-integers") for s in _SCORED],
    Form("binary", "logits", "signs"),
    *[Form("multilabel", s, "same") for s in _SCORED],
    *[Form("multiclass", s, layout) for layout in ("indices", "indices-channel", "one-hot") for s in _SCORED],
]
_OTHERS = [Form(*key) for key in examples.OTHERS]


@dataclass
class Tried:
    """What came of trying forms."""

    fitting: list[tuple[Form, tuple[int, ...], Trial]] = field(default_factory=list)
    running: list[tuple[Form, tuple[int, ...], Trial, str]] = field(default_factory=list)  # with why it does not fit
    refusals: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Said:
    """What the user says about the loss; the rest is found out."""

    kind: str | None = None
    scores: str | None = None
    target: str | None = None
    classes: int | None = None
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("kind", self.kind, KINDS),
            ("scores", self.scores, SCORES),
            ("target", self.target, tuple(LAYOUTS)),
        ):
            if value is not None and value not in known:
                raise ValueError(f"{name}={value!r} is unknown{nearest(value, known)} One of: {', '.join(known)}.")

    def allows(self, form: Form) -> bool:
        wanted = ((self.kind, form.kind), (self.scores, form.scores), (self.target, form.layout))
        return all(said is None or said == found for said, found in wanted)

    @property
    def anything(self) -> bool:
        return any((self.kind, self.scores, self.target))


def conclude(origin: Origin, **said: Any) -> Spec:
    """What the loss takes; Unsure where that cannot be told."""
    options = Said(**said)
    criterion = origin.build()
    names = call_parameters(criterion)
    required = [p.name for p in names if p.default is p.empty and p.kind is not p.KEYWORD_ONLY]
    swapped = len(required) > 1 and required[0].lower() in _TARGETS and required[1].lower() in _INPUTS
    probe = _Probe(origin, options, criterion, len(required) or 2, swapped)
    own = [Form(*each) for each in forms_of(criterion)]
    chosen = probe.among_own(own) if own else probe.by_trial(required)
    form, spatial, trial, also, because = chosen
    order = _SPATIAL if form.labels else _FLAT
    wide = options.shape is None and (form.labels or form.kind in ("regression", "distribution"))
    spatials = tuple(s for s in order if probe.trial(s).runs(form)) if wide and spatial != _LARGE else (spatial,)
    tensors = examples.tensors_of(*form.key)
    taken = {n.name for n in names[: len(tensors)]}
    ignored = getattr(criterion, "ignore_index", origin.options.get("ignore_index"))
    return Spec(
        kind=form.kind,
        scores=form.scores,
        layout=form.layout,
        tensors=tensors,
        classes=trial.draw(form, None, 1.0, 0).classes,
        spatial=spatial,
        spatials=spatials,
        softmax=form.kind == "multiclass" and form.scores == "logits" and shift_invariant(trial, form),
        swapped=swapped,
        scalar=trial.scalar,
        options=tuple(origin.options),
        arguments=tuple(p.name for p in names if p.name not in taken),
        ignore_index=ignored if isinstance(ignored, int) else None,
        also=tuple(each.key for each in also),
        because=tuple(because),
    )


Chosen = tuple[Form, tuple[int, ...], Trial, list[Form], list[str]]


class _Probe:
    """Tries the forms that a loss could take."""

    def __init__(self, origin: Origin, said: Said, criterion: Criterion, arity: int, swapped: bool) -> None:
        self.origin = origin
        self.said = said
        self.arity = arity
        self.swapped = swapped
        self.classes = said.classes or _classes_of(criterion) or 3

    def trial(self, spatial: tuple[int, ...]) -> Trial:
        return Trial(self.origin, self.swapped, self.classes, spatial)

    def spatials(self, form: Form) -> Iterable[tuple[int, ...]]:
        if self.said.shape is not None:
            return (self.said.shape,)
        if not form.labels and form.kind not in ("regression", "distribution"):
            return ((),)
        return (*(_SPATIAL if form.labels else _FLAT), _LARGE)

    def among_own(self, own: list[Form]) -> Chosen:
        """The first of the ways that a loss of ours names and that is asked for."""
        for n, form in enumerate(own):
            if not self.said.allows(form):
                continue
            for spatial in self.spatials(form):
                trial = self.trial(spatial)
                if trial.runs(form):
                    also = [each for each in own if each != form]
                    return form, spatial, trial, also, [] if n == 0 else ["asked for"]
        known = "; ".join(" ".join(form.key) for form in own)
        raise Unsure(
            f"{self.origin.name} takes {known} (kind scores target), and {self._asked()} is none that it ran with."
        )

    def _asked(self) -> str:
        said = (("--kind", self.said.kind), ("--scores", self.said.scores), ("--target", self.said.target))
        return " ".join(f"{name} {value}" for name, value in said if value) or "its usual call"

    def by_trial(self, required: list[str]) -> Chosen:
        tried = Tried()
        wanted = [form for form in (*_OTHERS, *_LABELS) if self.said.allows(form)]
        wanted = [form for form in wanted if len(examples.tensors_of(*form.key)) == self.arity]
        if not wanted:
            raise Unsure(self._no_form(required))
        for group in _GROUPS:
            held = [form for form in wanted if group.holds(form)]
            for kind in dict.fromkeys(form.kind for form in held):
                self._try([form for form in held if form.kind == kind], group.fits, tried)
            if tried.fitting:
                return self._decided(tried)
        return self._told(tried, required)

    def _try(self, kind: list[Form], fits: Callable[[Trial, Form], None], tried: Tried) -> None:
        """Try the forms of one kind: the first layout that fits, in the first shape, with every kind of scores."""
        for spatial in dict.fromkeys(s for form in kind for s in self.spatials(form)):
            for layout in dict.fromkeys(form.layout for form in kind):
                for form in (f for f in kind if f.layout == layout and spatial in self.spatials(f)):
                    self._try_one(form, spatial, fits, tried)
                own = [each for each in tried.fitting if each[0].kind == kind[0].kind]
                if any(form.scores != "probabilities" for form, _, _ in own):
                    return
                # A softmax over another dimension leaves what looks like probabilities: one shape more may tell.
                tried.fitting = [each for each in tried.fitting if each not in own[1:]]

    def _try_one(self, form: Form, spatial: tuple[int, ...], fits: Callable[[Trial, Form], None], tried: Tried) -> None:
        trial = self.trial(spatial)
        if not trial.runs(form):
            tried.refusals += [trial.said] if trial.said else []
            return
        try:
            fits(trial, form)
        except DoesNotFit as error:
            tried.running.append((form, spatial, trial, str(error)))
        else:
            tried.fitting.append((form, spatial, trial))

    def _decided(self, tried: Tried) -> Chosen:
        fitting = tried.fitting = _sharpest(tried.fitting)
        self._refuse_ambiguous(fitting)
        form, spatial, trial = fitting[0]
        also = [each for each, _, _ in fitting[1:]]
        return form, spatial, trial, also, [f"lower loss follows the right answer with {' '.join(form.key)}"]

    def _refuse_ambiguous(self, fitting: list[tuple[Form, tuple[int, ...], Trial]]) -> None:
        form, _, trial = fitting[0]
        if form.scores in ("values", "rates") and not self.said.anything and form.layout in ("same", "counts"):
            rival = Form("binary", "probabilities", "same")
            if scale_free(trial, form):
                for spatial in _SPATIAL:
                    try:
                        fits_labels(self.trial(spatial), rival)
                    except DoesNotFit:
                        continue
                    raise Unsure(
                        f"{self.origin.name} is least where input and target are equal and does not mind their scale, "
                        "as an overlap of probabilities does and as a cosine of numbers does. Pass --kind binary "
                        "--scores probabilities, or --kind regression."
                    )
        groups: dict[tuple[str, str], set[str]] = {}
        for each, _, _ in fitting:
            groups.setdefault((each.kind, each.layout), set()).add(each.scores)
        for (kind, _), scores in groups.items():
            if len(scores) > 1:
                raise Unsure(
                    f"{self.origin.name} could take {' or '.join(sorted(scores))} ({kind}): both give lower loss to "
                    f"right answers. Pass --scores {sorted(scores)[0]} or --scores {sorted(scores)[1]}."
                )

    def _told(self, tried: Tried, required: list[str]) -> Chosen:
        """Nothing fits: what the user says decides, where it leaves one way that runs."""
        said = self.said
        ways = {form.key for form, _, _, _ in tried.running}
        if said.kind and (len(ways) == 1 or (said.scores and ways)):
            form, spatial, trial, reason = tried.running[0]
            return form, spatial, trial, [], [f"as told; by itself it would not be taken for it: {reason}"]
        raise Unsure(self._no_fit(tried, required))

    def _no_form(self, required: list[str]) -> str:
        needs = ", ".join(required) or "nothing by name"
        return (
            f"{self.origin.name}: its call needs {needs}, and no kind of loss that is known takes {len(required)} "
            f"{'tensor' if len(required) == 1 else 'tensors'}"
            f"{' like ' + self._asked() if self.said.anything else ''}. What is no tensor can be bound with "
            "--with name=value; for the rest, point at a function of (input, target)."
        )

    def _no_fit(self, tried: Tried, required: list[str]) -> str:
        said = f"{self.origin.name}: cannot tell what it takes."
        if not tried.running:
            first, *others = dict.fromkeys(tried.refusals or ["it returns no finite number"])
            why = f"{first}{f' Another said: {others[-1]}' if others else ''}"
            return (
                f"{said} Every trial call was refused; one said: {why} Its call takes ({', '.join(required)}). "
                f"Say what it takes: --kind, --scores, --target, --classes, --shape.{self._bind(required)}"
            )
        seen: dict[tuple[str, str], str] = {}
        for form, _, _, reason in tried.running:
            seen.setdefault((form.kind, form.scores), reason)
        ran = "".join(f"\n  --kind {k} --scores {s}: {reason}" for (k, s), reason in list(seen.items())[:6])
        return f"{said} It ran with these, and each looks wrong; pass the one that is meant.{self._bind(required)}{ran}"

    def _bind(self, required: list[str]) -> str:
        if len(required) < 3:
            return ""
        return f" If {required[-1]} is no tensor, bind it with --with {required[-1]}=value."


Fitting = list[tuple[Form, tuple[int, ...], Trial]]


def _sharpest(fitting: Fitting) -> Fitting:
    """Without the forms that another one that fits explains away."""
    found = {form.key for form, _, _ in fitting}
    softmax = {form.key for form, _, trial in fitting if form.kind == "multiclass" and shift_invariant(trial, form)}
    takes_logits = any(form.scores == "logits" for form, _, _ in fitting)

    def beside(form: Form, *scores: str) -> bool:
        return any((form.kind, each, form.layout) in found for each in scores)

    def stands(form: Form) -> bool:
        if form.scores == "probabilities" and (takes_logits or beside(form, "log_probabilities")):
            return False  # right answers beyond 0 and 1 are better still
        if form.scores == "log_probabilities" and beside(form, "logits"):
            return False  # a softmax leaves log-probabilities as they are
        if form.layout == "one-hot" and form.key not in softmax:
            return all(kind == "multiclass" for kind, _, _ in found)  # each class by itself
        return not (form.kind == "multilabel" and ("multiclass", form.scores, "one-hot") in softmax)

    return [each for each in fitting if stands(each[0])]


@dataclass(frozen=True)
class _Group:
    """Forms that are tried alike; where one fits, the groups after it are left."""

    holds: Callable[[Form], bool]
    fits: Callable[[Trial, Form], None]


# In the order in which they are tried: what is asked for most exactly comes first.
_GROUPS = (
    _Group(lambda f: f.kind == "regression", fits_numbers),
    _Group(lambda f: f.kind == "distribution", fits_numbers),
    _Group(lambda f: f.labels, fits_labels),
    _Group(lambda f: not f.labels and f.kind not in ("regression", "distribution"), fits_order),
)


def _classes_of(criterion: Criterion) -> int | None:
    """How many classes a loss was made for, where it holds a number for each."""
    if not isinstance(criterion, nn.Module):
        return None
    held = [*criterion.buffers(), *criterion.parameters(), *vars(criterion).values()]
    sizes = {t.shape[0] for t in held if isinstance(t, Tensor) and t.dim() == 1 and t.shape[0] > 1}
    counts = {v for n in ("num_classes", "n_classes", "classes") if isinstance(v := getattr(criterion, n, None), int)}
    found = sizes or {n for n in counts if n > 1}
    return found.pop() if len(found) == 1 else None
