"""The form chosen for a loss that fits none: one that a single fault explains, or that names confirm."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import nn

from losskit.checker import as_shown, examples, fits, roles, search, several
from losskit.checker.calling import Call
from losskit.checker.groups import GROUPS, LAST
from losskit.checker.origin import Criterion
from losskit.checker.trial import DoesNotFit, Form, Trial
from losskit.checker.words import helpers_of

if TYPE_CHECKING:
    from losskit.checker.probe import Chosen, Probe

Running = tuple[Form, tuple[int, ...], Trial, str]
_MANY = 20  # so many points that a mask of 0 and 1 leaves some in every sample
Layout = tuple[str, tuple[int, ...], str]  # a layout of `several`, its spatial sizes, and why it is tried


def _plain(trial: Trial) -> Trial:
    return trial if trial.sign > 0 else trial.negated()


def rotations(probe: Probe) -> Chosen | None:
    """Two rotation matrices, if the documentation says so."""
    if not probe.words.say(r"rotation matri") or len(probe.required) != 2:
        return None
    form = Form("penalty", "values", f"{several.SEVERAL} rotation:N,3,3;rotation:N,3,3")
    trial = _running(probe, Call(2, probe.way()), form, ())
    return None if trial is None else (form, (), trial, [], ["its documentation says rotation matrices"])


_HALVES = r"chunk\(2|split\(|\[\.\.\., ?:\s*\w+\]|\[:, ?:\s*\w+\]"


def halves(probe: Probe) -> Chosen | None:
    """A head whose output holds a mean and a spread, twice as wide as its target, if its words and code say so."""
    said = probe.words.say(r"\b(mean|mu|loc)s? and (the |a )?(log\W?|raw )?(var|std|sigma|scale|standard|spread)")
    text = f"{probe.words.code} {helpers_of(probe.criterion)}"
    if not said or len(probe.required) != 2 or re.search(_HALVES, text) is None:
        return None
    form = Form("penalty", "values", f"{several.SEVERAL} number:N,6;number:N,3")
    trial = _running(probe, Call(2, probe.way()), form, ())
    return None if trial is None else (form, (), trial, [], ["its words say a head of a mean and a spread"])


def too_narrow(probe: Probe, running: list[Running]) -> bool:
    """Whether only one column runs, without a gradient, and the loss holds vectors of another length."""
    others = [each for each in columns(probe.criterion) if each != probe.classes]
    single = ("bare", "signs", "same-integers")
    wide = any(form.kind != "binary" and form.layout not in single for form, *_ in running)
    return bool(others) and not wide and without_gradient(running) is not None


def without_gradient(running: list[Running]) -> Chosen | None:
    """The likeliest form of a loss that gives no gradient in any."""
    for form, _, trial, _ in running:
        input, *others = examples.make(*form.key, trial.draw(form, None, 0.5, 0))
        if bool(trial.slope(input, *others).ne(0).any()):
            return None
    readings = [
        (form, spatial, trial.negated() if flip else trial) for flip in (0, 1) for form, spatial, trial, _ in running
    ]
    form, spatial, trial = next((each for each in readings if fits.roughly(each[2], each[0])), readings[0])
    return form, spatial, _plain(trial), [], ["it gives no gradient in any form"]


def other_side(probe: Probe, form: Form, trial: Trial) -> Trial:
    """The trial with the second tensor as the input, if only that one gets a gradient and no name says otherwise."""
    names = [name.lower() for name in probe.required]
    known = any(name in roles.INPUTS or "pred" in name for name in names[:1]) or names[1:2] in (
        [n] for n in roles.TARGETS
    )
    if form.key != ("regression", "values", "same") or len(names) != 2 or known:
        return trial
    tensors = examples.make(*form.key, trial.draw(form, None, 1.0, 0))
    if bool(trial.slope(*tensors).any()):
        return trial
    other = Trial(probe.origin, replace(trial.way, swapped=not trial.way.swapped), trial.classes, trial.spatial)
    return other if bool(other.slope(*tensors).any()) else trial


def rows_of_four(probe: Probe, running: list[Running]) -> Chosen | None:
    """Boxes, if the names say so and rows of three numbers are refused."""
    if roles.says(roles.BOXES, probe.hints) and probe.classes == 3:
        for form, spatial, trial, reason in running:
            if form.key == roles.BOXES and not probe.beside(trial, ()).runs(Form("regression", "values", "same")):
                return form, spatial, trial, [], [f"its names say boxes and it takes rows of four, but {reason}"]
    return None


def negated(probe: Probe, running: list[Running]) -> Chosen | None:
    """A form in which the negated loss follows the correct prediction."""
    for form, spatial, trial, _ in running:
        group = next((group for group in GROUPS if group.holds(form)), None)
        if group is None or form.kind not in ("binary", "multilabel", "multiclass", "regression", "pairs"):
            continue
        if form.key == roles.TRIPLETS and not roles.says(form.key, probe.hints):
            continue  # other formulas of three tensors look like this too
        if form.kind == "regression" and roles.says(roles.BOXES, probe.hints):
            continue  # it may return anything for numbers that are no boxes
        if form.layout == "order" and not roles.says(form.key, probe.hints):
            continue
        try:
            group.fits(trial.negated(), form)
        except DoesNotFit:
            continue
        return form, spatial, _plain(trial), [], ["the negated loss follows the correct prediction in this form"]
    return None


def by_last(running: list[Running]) -> Chosen | None:
    """A form that nearly every loss fits."""
    for fit, held in LAST:
        for form, spatial, trial, _ in running:
            try:
                if held(form):
                    fit(trial, form)
                    return form, spatial, trial, [], ["it fits no more specific form"]
            except DoesNotFit:
                continue
    return None


def named(probe: Probe, running: list[Running]) -> Chosen | None:
    """A form that follows from the names alone."""
    opposed = roles.sides_of(probe.required) in ((1, -1), (-1, 1)) and not roles.of_generator(probe.origin.name)
    for form, spatial, trial, reason in running:
        if form.key == roles.GROUPED and ("not finite" not in reason or columns(probe.criterion)):
            continue  # class indices, or labels whose groups are not compared
        said = roles.says(form.key, probe.hints) or (opposed and form.key == roles.ABOVE)
        if said or roles.placed(examples.tensors_of(*form.key), probe.required):
            return form, spatial, trial, [], [f"its names say so, but {reason}"]
    if (
        len(probe.required) == 2
        and probe.required[0].lower() in roles.INPUTS
        and probe.required[1].lower() in roles.TARGETS
    ):
        for form, spatial, trial, reason in running:
            if form.key == ("regression", "values", "same") and fits.monotone(trial, form):
                return form, spatial, trial, [], [f"its names say a prediction and a target, but {reason}"]
        for form, spatial, trial, reason in running:
            if form.key == ("regression", "rates", "counts") and probe.words.say("tweedie|poisson|gamma|deviance"):
                return form, spatial, trial, [], [f"its names say a rate and a count, but {reason}"]
    return None


def nearest(running: list[Running]) -> Chosen | None:
    """A form in which correct predictions have a lower loss than random and wrong ones, whatever else does not fit."""
    for form, spatial, trial, reason in running:
        plain = form.labels or form.key == ("regression", "values", "same")
        plain = plain and "neither is a label" not in reason
        if plain and fits.roughly(trial, form):
            return form, spatial, trial, [], [f"correct predictions have a lower loss than wrong ones, but {reason}"]
    return None


def documented(probe: Probe, running: list[Running]) -> Chosen | None:
    """Logits and class indices, if the documented shapes and names are those."""
    shapes = [probe.words.shapes.get(name, ()) for name in probe.required[:2]]
    if len(probe.required) != 2 or len(shapes[0]) != len(shapes[1]) + 1 or "logit" not in probe.words.all:
        return None
    for form, spatial, trial, reason in running:
        if form.key == ("multiclass", "logits", "indices"):
            return form, spatial, trial, [], [f"its documentation says logits and class indices, but {reason}"]
    return None


def never_finite(probe: Probe) -> Chosen | None:
    """Logits and class indices by the documented shapes and the names, if every such call gives NaN."""
    shapes = [probe.words.shapes.get(name, ()) for name in probe.required[:2]]
    if len(probe.required) == 2 and re.search(r"ssim|psnr", probe.words.all):
        return _never_finite_images(probe)
    if len(probe.required) != 2 or (any(shapes) and len(shapes[0]) != len(shapes[1]) + 1):
        return None
    if several.sort_of(probe.required[1], probe.words) != "index" or "logit" not in probe.words.all:
        return None
    form = Form("multiclass", "logits", "indices")
    for classes in probe.counts():
        probe.classes = classes
        trial = probe.trial(probe.calls[0], (4, 5)[: max(len(shapes[1]) - 1, 0)], labels=True)
        if trial.result(*examples.make(*form.key, trial.draw(form, None, 0.5, 0))) is not None:
            return form, trial.spatial, trial, [], ["its documentation says so, but the values are not finite"]
    return None


def _never_finite_images(probe: Probe) -> Chosen | None:
    """Two images, if every such call gives NaN."""
    form = Form("regression", "images", "images")
    for spatial in probe.spatials(form):
        trial = probe.trial(probe.calls[0], spatial)
        if trial.result(*examples.make(*form.key, trial.draw(form, None, 0.5, 0))) is not None:
            return form, spatial, trial, [], ["its names say images, but the values are not finite"]
    return None


def by_shapes(probe: Probe) -> Chosen | None:
    """Tensors of shapes that the loss documents or takes, if nothing is known about their meaning."""
    tries = (
        as_shown.as_shown,
        _as_written,
        search.without_broadcasts,
        _by_letters,
        search.by_repairs,
        search.cut_from_graph,
    )
    for each in tries:
        probe.classes = probe.usual_classes
        found = each(probe)
        if found is not None:
            return found
    return None


def _as_written(probe: Probe) -> Chosen | None:
    """Tensors of the documented shapes."""
    return _by_layouts(probe, _documented_layouts, _MANY)


def _by_letters(probe: Probe) -> Chosen | None:
    """Tensors of any shapes, the simplest first."""
    return _by_layouts(probe, _layouts)


def _by_layouts(probe: Probe, layouts: Callable[[Probe, list[str]], Iterator[Layout]], *counts: int) -> Chosen | None:
    taken = [(call, names) for call in probe.calls if (names := _tensors(probe, call))]
    if len(probe.given) > len(probe.required):
        taken = [(Call(2, probe.way()), probe.given), *taken]
    options = [n for n in probe.required if roles.is_option(n) and n not in probe.words.shapes]
    if len(options) == 1 and len(probe.required) < 4:
        return None
    taken += [] if len(probe.required) < 2 else [(Call(len(probe.required), probe.way()), probe.required)]
    sizes = dict.fromkeys([*[2] * roles.of_heads(probe.words), probe.classes, *columns(probe.criterion), *counts])
    for call, names in taken:
        if len(names) < 2 and not call.way.extras:
            continue
        for layout, spatial, why in layouts(probe, names):
            for classes in sizes:
                probe.classes = classes
                found = _running(probe, call, Form("penalty", "values", layout), spatial)
                if found is not None:
                    return Form("penalty", "values", layout), spatial, found, [], [why]
    return None


def _tensors(probe: Probe, call: Call) -> list[str]:
    """The names of the tensors of a call, without its further arguments."""
    extras = {each.name for each in call.way.extras}
    return [name for name in probe.required if name not in extras]


def _running(probe: Probe, call: Call, form: Form, spatial: tuple[int, ...], flat: bool = False) -> Trial | None:
    """The trial of a form in which the loss runs and has a gradient; `flat`: or has none."""
    trial = probe.trial(replace(call, way=replace(call.way, swapped=False)), spatial)
    if not trial.runs(form):
        return None
    if flat:
        return trial
    made = examples.make(*form.key, trial.draw(form, None, 1.0, 0))
    return trial if bool(trial.slope(*made).any()) else None


_SHAPES_INSIDE = ("N,C", "N,1", "N", "N,C,4,5")


def with_model(probe: Probe) -> Chosen | None:
    """The weights of a model, and tensors of shapes with which a loss that calls the model runs."""
    calls = [(call, _tensors(probe, call)) for call in probe.calls]
    documented = several.documented(calls[0][1], probe.words).removeprefix(f"{several.SEVERAL} ")
    plain = [[several.sort_of(name, probe.words) for name in names] for _, names in calls[:1]]
    for flat, sizes in itertools.product((False, True), _sizes_inside(len(calls[0][1]))):
        written = [f"{sort}:{size}" for sort, size in zip(plain[0], sizes, strict=True)]
        for layout in dict.fromkeys([*([documented.replace(",*", "")] if documented else []), ";".join(written)]):
            for call, _ in calls:
                form = Form("penalty", "values", f"{several.SEVERAL} weights:6{';' if layout else ''}{layout}")
                found = _running(probe, call, form, (), flat)
                if found is not None:
                    return form, (), found, [], ["it calls a model: the input is the weights of one"]
    return None


def _sizes_inside(count: int) -> list[tuple[str, ...]]:
    """Shapes of the tensors beside a model: all alike, the last of one column, then any."""
    alike = [(size,) * count for size in _SHAPES_INSIDE]
    mixed = list(itertools.product(_SHAPES_INSIDE[:3], repeat=count)) if count <= 4 else []
    return list(dict.fromkeys([*alike, *mixed]))


def _documented_layouts(probe: Probe, required: list[str]) -> Iterator[Layout]:
    written = several.documented(required, probe.words)
    for place in [(), (4, 5)] if "*" in written else [()] if written else []:
        yield written, place, "its documentation gives the shapes"
        inside = written.replace("number:", "share:")  # numbers of any sign may be outside its domain
        yield inside, place, "its documentation gives the shapes, and it runs with numbers between 0 and 1"


def _layouts(probe: Probe, required: list[str]) -> Iterator[Layout]:
    words = probe.words
    if len(required) > 4 and all(len(name) == 1 for name in required):
        return
    special = any(several.sort_of(name, words) not in ("number", "log") for name in required[1:])
    for spatial in ((), (4, 5), (2,)):
        for letters in roles.shapes_of(required) if len(required) <= 4 else roles.simple_shapes_of(required):
            columns = (words.shapes.get(name, ())[1:] == ("1",) for name in required)
            if any(each and letter in "cir" for each, letter in zip(columns, letters, strict=True)):
                continue
            plain = f"{several.SEVERAL} {letters}"
            tried = (several.named(list(required), letters, words), plain) if special else (plain,)
            for layout in tried:
                yield layout, spatial, "only the shapes with which it runs are known"


def columns(criterion: Criterion) -> list[int]:
    """Lengths of the vectors that a loss compares with its own weights."""
    held = [*criterion.parameters(), *criterion.buffers()] if isinstance(criterion, nn.Module) else []
    return [n for t in held if t.dim() == 2 for n in reversed(t.shape) if n > 1]
