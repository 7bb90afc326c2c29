"""Trial calls: what a loss makes of right and wrong answers in one form, and whether that form is what it takes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from losskit.checker import examples
from losskit.checker.examples import Draw
from losskit.checker.origin import Origin

REFUSED = math.nan  # the value of a call that raised
_SEEDS = (0, 1, 2)


class DoesNotFit(Exception):  # noqa: N818 - it says what is the case
    """A form is not what the loss takes; the message says why."""


@dataclass(frozen=True)
class Form:
    """One way of calling a loss."""

    kind: str
    scores: str
    layout: str

    @property
    def labels(self) -> bool:
        return self.key not in examples.OTHERS

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.scores, self.layout


class Trial:
    """Calls a loss with examples, in float64 where it can, and keeps what it said when it refused."""

    def __init__(self, origin: Origin, swapped: bool, classes: int, spatial: tuple[int, ...]) -> None:
        self.origin = origin
        self.swapped = swapped
        self.classes = classes
        self.spatial = spatial
        self.said = ""  # by the last call that was refused
        self.dtype = torch.float64
        self.scalar = True

    def draw(self, form: Form, correct: bool | None, scale: float, seed: int) -> Draw:
        classes = 1 if form.kind == "binary" else self.classes
        if form.layout in ("bare", "signs") or (form.kind == "regression" and form.layout == "bare"):
            classes = 1
        samples = 2 if self.spatial else 6
        return Draw(samples, classes, self.spatial, torch.Generator().manual_seed(seed), correct, scale)

    def value(self, *tensors: Tensor) -> float:
        """The loss as a number; NaN where it refuses."""
        result = self.result(*tensors)
        return REFUSED if result is None else float(result.detach().double().mean())

    def result(self, *tensors: Tensor) -> Tensor | None:
        cast = [t.to(self.dtype) if t.is_floating_point() else t for t in tensors]
        if self.swapped:
            cast[:2] = cast[1::-1]
        if self.origin.on_trial is not None:
            self.origin.on_trial(cast)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.filterwarnings("error", message="Using a target size")  # it broadcasts: not meant so
                made = self.origin.build()(*cast)
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it raises, it refuses this call
            if self.dtype == torch.float64 and _about_dtype(error):
                self.dtype = torch.float32
                return self.result(*tensors)
            self.said = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
            return None
        if isinstance(made, (int, float)):
            return torch.tensor(float(made))
        if not isinstance(made, Tensor):
            self.said = f"it returned {type(made).__name__}, no tensor"
            return None
        self.scalar = made.dim() == 0
        return made

    def slope(self, input: Tensor, *others: Tensor) -> Tensor:
        """The gradient by the input; zeros where there is none."""
        x = input.detach().clone().requires_grad_()
        result = self.result(x, *others)
        if result is None or not result.requires_grad:
            return torch.zeros_like(input)
        (found,) = torch.autograd.grad(result.double().sum(), x, allow_unused=True)
        return torch.zeros_like(input) if found is None else found

    def runs(self, form: Form) -> bool:
        """Whether the loss returns a number for random scores."""
        return math.isfinite(self.value(*examples.make(*form.key, self.draw(form, None, 0.5, 0))))


def _about_dtype(error: Exception) -> bool:
    said = str(error).lower()
    return "dtype" in said or "double" in said or "scalar type" in said


def require(condition: bool, reason: str) -> None:
    if not condition:
        raise DoesNotFit(reason)


# Labels.


@dataclass(frozen=True)
class Marks:
    """One set of labels: the target, yes and no for each score, and the side on which each score is right."""

    target: Tensor
    hot: Tensor
    right: Tensor
    wrong: Tensor


def marks_of(trial: Trial, form: Form, seed: int) -> Marks:
    draw = trial.draw(form, None, 1.0, seed)
    labels = examples.labels_of(form.kind, draw)
    hot = examples.one_hot_of(form.kind, labels, draw.classes)
    other = examples.one_hot_of(form.kind, examples.wrong_of(form.kind, labels, draw.classes), draw.classes)
    target = examples.laid_out(form.kind, form.layout, labels, draw.classes)
    made = (hot, 2 * hot - 1, 2 * other - 1)
    if form.layout == "bare":
        made = tuple(t.squeeze(1) for t in made)  # type: ignore[assignment]
    return Marks(target, *made)


def fits_labels(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless lower loss follows the right answer everywhere, for scores of this form."""
    if form.kind != "binary" and not trial.spatial:
        require(not _blind_to_rotation(trial, form), "rotated inputs cost the same, so these are embeddings")
    if form.kind != "multiclass":
        require(not shift_invariant(trial, form), "it sees only differences of scores, so classes exclude each other")
    for seed in _SEEDS:
        marks = marks_of(trial, form, seed)
        {"logits": _fits_logits, "probabilities": _fits_probabilities, "log_probabilities": _fits_logs}[form.scores](
            trial, form, marks, seed
        )


def _blind_to_rotation(trial: Trial, form: Form) -> bool:
    """Whether only angles and distances between samples count, so that no column is a class."""
    marks = marks_of(trial, form, 0)
    scores = _noise(marks.hot, 5)
    turn, _ = torch.linalg.qr(torch.randn(2 * [scores.shape[1]], generator=torch.Generator().manual_seed(5)).double())
    target = marks.target @ turn if marks.target.shape == scores.shape and marks.target.is_floating_point() else None
    before = trial.value(scores, marks.target)
    after = trial.value(scores @ turn, marks.target if target is None else target)
    return math.isclose(before, after, rel_tol=1e-6, abs_tol=1e-9)


def _ordered(right: float, wrong: float, *others: float) -> float:
    """The gap between wrong and right, where the right answer costs less."""
    require(all(map(math.isfinite, (right, wrong, *others))), "values are not finite, or it refuses")
    require(not wrong < right - 1e-9, "it is lower for wrong answers than for right ones")
    require(right < wrong - 1e-7 * (1 + abs(wrong)), "right and wrong answers cost the same")
    return wrong - right


def _fits_logits(trial: Trial, form: Form, marks: Marks, seed: int) -> None:
    noise = _noise(marks.hot, seed)
    right, wrong, surer, sure, surest = (trial.value(n * marks.right, marks.target) for n in (1, -1, 2, 6, 12))
    if form.kind == "multiclass":
        wrong = trial.value(marks.wrong, marks.target)
    gap = _ordered(min(right, surer), wrong, surer, trial.value(noise, marks.target))
    require(not sure - surest > gap, "it falls without bound, so these are no logits")
    if form.layout != "signs" and not (form.kind == "multiclass" and shift_invariant(trial, form)):
        require(
            not min(right, surer) >= trial.value(marks.hot, marks.target) - 1e-6 * gap,
            "0 and 1 are the best answers already, so it takes probabilities",
        )
    for scale in (1.0, 0.3):
        _slopes_right(trial.slope(scale * noise, marks.target), marks, both=True)


def _fits_probabilities(trial: Trial, form: Form, marks: Marks, seed: int) -> None:
    def value(logits: Tensor) -> float:
        return trial.value(examples.activated(logits, form.kind, "probabilities"), marks.target)

    noise = _noise(marks.hot, seed)
    good = value(marks.right)
    _ordered(good, value(marks.wrong), value(noise))
    _ordered(value(4.0 * marks.right), good)
    drawn = examples.activated(noise, form.kind, "probabilities")
    _slopes_right(trial.slope(drawn, marks.target), marks, both=form.kind != "multiclass")


def _fits_logs(trial: Trial, form: Form, marks: Marks, seed: int) -> None:
    def value(logits: Tensor) -> float:
        return trial.value(examples.activated(logits, form.kind, "log_probabilities"), marks.target)

    gap = _ordered(value(3.0 * marks.right), value(3.0 * marks.wrong))
    require(abs(value(14.0 * marks.right)) < 0.02 * gap, "a sure right answer does not cost 0")
    drawn = examples.activated(_noise(marks.hot, seed), form.kind, "log_probabilities")
    _slopes_right(trial.slope(drawn, marks.target), marks, both=form.kind != "multiclass")


def _noise(like: Tensor, seed: int) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _slopes_right(slope: Tensor, marks: Marks, both: bool) -> None:
    """Raising the score of what is true lowers the loss; raising that of what is not raises it."""
    slope = slope.double()
    require(bool(slope.isfinite().all()), "the gradient is not finite")
    for side, name in ((marks.hot > 0, "true"), (marks.hot == 0, "false")):
        if name == "false" and not both:
            continue
        wanted = -slope[side] if name == "true" else slope[side]
        total = wanted.abs().sum()
        require(bool(total > 1e-12), f"what is {name} gets no gradient")
        require(bool(wanted.clamp_min(0).sum() > 0.9 * total), f"the gradient of what is {name} points the wrong way")


def shift_invariant(trial: Trial, form: Form) -> bool:
    """Whether adding a number to all scores of a position changes nothing, as under a softmax."""
    marks = marks_of(trial, form, 0)
    scores = examples.activated(_noise(marks.hot, 7), form.kind, form.scores)
    shifted = scores + 1.5
    if form.scores == "probabilities":
        scores, shifted = 0.4 * scores, 0.4 * scores + 0.4
    before, after = (trial.value(each, marks.target) for each in (scores, shifted))
    return math.isclose(before, after, rel_tol=1e-5, abs_tol=1e-7)


# Numbers.


def fits_numbers(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless the loss is least where the input is what the target asks for."""
    for seed in _SEEDS:
        best, *others = examples.make(*form.key, trial.draw(form, True, 1.0, seed))
        _least_at(trial, best, others, form, seed)
        if form.scores == "values":
            require(
                trial.value(best.roll(1, 0), *others) > trial.value(best, *others), "it does not look at the target"
            )
        if form.scores != "values":
            _level_at(trial, best, others, form)
        if form.layout == "with-variance":
            costs = [trial.value(best, others[0], wider * others[1]) for wider in (1, 3, 9)]
            require(costs == sorted(costs) and costs[0] < costs[-1], "a larger variance does not cost more")


def _least_at(trial: Trial, best: Tensor, others: Sequence[Tensor], form: Form, seed: int) -> None:
    step = torch.Generator().manual_seed(seed)
    least = trial.value(best, *others)
    require(math.isfinite(least), "values are not finite, or it refuses")
    higher = 0
    for size in (0.05, 0.05, 0.05, 1.0, 1.0, 1.0):
        noise = size * torch.randn(best.shape, generator=step, dtype=torch.float64)
        moved = best * noise.exp() if form.scores == "rates" else best + noise
        cost = trial.value(moved.log_softmax(1) if form.kind == "distribution" else moved, *others)
        require(math.isfinite(cost), "values are not finite, or it refuses")
        require(cost >= least - 1e-9 * (1 + abs(least)), "it is not least where the input is the target")
        higher += cost > least + 1e-12 * (1 + abs(least))
    require(higher >= 4, "it does not grow with the distance to the target")


def _level_at(trial: Trial, best: Tensor, others: Sequence[Tensor], form: Form) -> None:
    """The slope is 0 at the best answer, and the loss sees what a softmax would hide."""
    slope, aside = trial.slope(best, *others), trial.slope(best + 0.5 * _noise(best, 9).abs(), *others)
    if form.kind == "distribution":
        slope = slope - best.exp().to(slope) * slope.sum(1, keepdim=True)  # along distributions
    require(bool(slope.norm() < 1e-3 * aside.norm()), "it is not level where the input is the target")
    before, after = (trial.value(best + 0.3 + shift, *others) for shift in (0.0, 1.5))
    require(not math.isclose(before, after, rel_tol=1e-6, abs_tol=1e-9), "it normalises its input, so it takes logits")


def scale_free(trial: Trial, form: Form) -> bool:
    """Whether input and target times the same number give the same loss, as overlaps and cosines do."""
    input, target = examples.make(*form.key, trial.draw(form, None, 1.0, 3))
    return math.isclose(trial.value(input, target), trial.value(4 * input, 4 * target), rel_tol=1e-6, abs_tol=1e-9)


# Pairs, sets and sequences.


def fits_order(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless right answers cost less than random ones, and those less than wrong ones."""
    for seed in _SEEDS:

        def make(correct: bool | None, scale: float = 1.0, seed: int = seed) -> examples.Tensors:
            return examples.make(*form.key, trial.draw(form, correct, scale, seed))

        right, wrong = make(True), make(False)
        gap = _ordered(best := trial.value(*right), trial.value(*wrong), trial.value(*make(None)))
        require(trial.value(*make(True, 3.0)) > best - 0.5 * gap, "it falls without bound")
        if form.layout in ("alike", "alike-1", "alike-0", "signs", "order"):
            _both_sides_count(trial, right, wrong, best, gap)


def _both_sides_count(trial: Trial, right: Sequence[Tensor], wrong: Sequence[Tensor], best: float, gap: float) -> None:
    target = right[-1]
    for side in sorted(set(target.tolist())) if target.dim() == 1 else (-1.0, 1.0):
        chosen = target == side
        mixed = []
        for a, b in zip(right[:-1], wrong[:-1], strict=True):
            where = chosen.reshape(*chosen.shape, *(1,) * (a.dim() - chosen.dim()))
            mixed.append(torch.where(where, b, a))
        cost = trial.value(*mixed, target)
        require(cost > best + 1e-3 * gap, f"pairs with a target of {side:g} cost the same, right or wrong")
