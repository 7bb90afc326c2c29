"""Whether a form fits a loss: whether a lower loss follows the correct prediction, as that form defines it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from losskit.checker import draws, examples
from losskit.checker.trial import Form, Trial, require

_SEEDS = (0, 1, 2)
_EXACT = ("values", "boxes", "images", "logits", "positive")  # the correct prediction is the target itself


# Labels.


@dataclass(frozen=True)
class Marks:
    """One set of labels: the target, 0 or 1 for each score, and the side on which each score is correct."""

    target: Tensor
    hot: Tensor
    right: Tensor
    wrong: Tensor


def marks_of(trial: Trial, form: Form, seed: int) -> Marks:
    draw = trial.draw(form, None, 1.0, seed)
    labels = draws.labels_of(form.kind, draw)
    hot = draws.one_hot_of(form.kind, labels, draw.classes)
    other = draws.one_hot_of(form.kind, draws.wrong_of(form.kind, labels, draw.classes), draw.classes)
    target = draws.laid_out(form.kind, form.layout, labels, draw.classes)
    made = (hot, 2 * hot - 1, 2 * other - 1)
    if form.layout == "bare":
        made = tuple(t.squeeze(1) for t in made)  # type: ignore[assignment]
    return Marks(target, *made)


def fits_labels(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless a lower loss follows the correct prediction everywhere, for scores of this form."""
    if form.kind != "binary" and not trial.spatial:
        require(not _blind_to_rotation(trial, form), "rotated inputs give the same loss, so these are embeddings")
    if form.scores != "probabilities" and form.layout in ("same", "one-hot", "signs"):
        require(
            not _symmetric(trial, marks_of(trial, form, 0).hot),
            "input and target can be swapped, so neither is a label",
        )
    if form.scores == "probabilities" and form.layout == "one-hot" and not trial.spatial:
        made = examples.make(*form.key, trial.draw(form, None, 1.0, 0))
        alone = math.isfinite(trial.value(*(each[:1] for each in made)))
        require(alone or not _symmetric(trial, made[0]), "two views of a batch can be swapped, so neither is a label")
    if form.kind != "multiclass":
        require(not shift_invariant(trial, form), "it sees only differences of scores, so classes are exclusive")
    for seed in _SEEDS:
        marks = marks_of(trial, form, seed)
        {"logits": _fits_logits, "probabilities": _fits_probabilities, "log_probabilities": _fits_logs}[form.scores](
            trial, form, marks, seed
        )


def fits_signs(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless a lower loss follows the documented signs; a loss of their product is symmetric."""
    for seed in _SEEDS:
        _fits_logits(trial, form, marks_of(trial, form, seed), seed)


def _symmetric(trial: Trial, like: Tensor) -> bool:
    """Whether swapping two tensors of numbers gives the same loss."""
    one, other = _noise(like, 11), _noise(like, 12)
    return math.isclose(trial.value(one, other), trial.value(other, one), rel_tol=1e-9, abs_tol=1e-12)


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
    """The gap between wrong and correct, if the correct prediction has the lower loss."""
    require(all(map(math.isfinite, (right, wrong, *others))), "values are not finite, or it raises")
    require(not wrong < right - 1e-9, "it is lower for wrong predictions than for correct ones")
    require(right < wrong - 1e-7 * (1 + abs(wrong)), "correct and wrong predictions have the same loss")
    return wrong - right


def _fits_logits(trial: Trial, form: Form, marks: Marks, seed: int) -> None:
    noise = _noise(marks.hot, seed)
    right, wrong, surer, sure, surest = (trial.value(n * marks.right, marks.target) for n in (1, -1, 2, 6, 12))
    if form.kind == "multiclass":
        wrong = trial.value(marks.wrong, marks.target)
    gap = _ordered(min(right, surer), wrong, surer, trial.value(noise, marks.target))
    require(trial.sign < 0 or not sure - surest > gap, "it has no lower bound, so these are no logits")
    if form.layout != "signs" and not (form.kind == "multiclass" and shift_invariant(trial, form)):
        require(
            not min(right, surer) >= trial.value(marks.hot, marks.target) - 1e-6 * gap,
            "0 and 1 are the best inputs, so it takes probabilities",
        )
    for scale in (1.0, 0.3):
        _slopes_right(trial.slope(scale * noise, marks.target), marks, both=True)


def _fits_probabilities(trial: Trial, form: Form, marks: Marks, seed: int) -> None:
    def value(logits: Tensor) -> float:
        return trial.value(draws.activated(logits, form.kind, "probabilities"), marks.target)

    noise = _noise(marks.hot, seed)
    good = value(marks.right)
    _ordered(good, value(marks.wrong), value(noise))
    _ordered(value(4.0 * marks.right), good)
    drawn = draws.activated(noise, form.kind, "probabilities")
    before = trial.value(drawn, marks.target)
    moved = [trial.value(a * drawn + b, marks.target) for a, b in ((0.5, 0.2), (0.2, 0.1), (0.4, 0.6))]
    level = all(math.isclose(each, before, rel_tol=1e-2) for each in moved)
    require(not level, "it does not depend on the size of its input")
    _slopes_right(trial.slope(drawn, marks.target), marks, both=form.kind != "multiclass")


def _fits_logs(trial: Trial, form: Form, marks: Marks, seed: int) -> None:
    def value(logits: Tensor) -> float:
        return trial.value(draws.activated(logits, form.kind, "log_probabilities"), marks.target)

    gap = _ordered(value(3.0 * marks.right), value(3.0 * marks.wrong))
    require(abs(value(14.0 * marks.right)) < 0.02 * gap, "the loss of a confident correct prediction is not 0")
    drawn = draws.activated(_noise(marks.hot, seed), form.kind, "log_probabilities")
    _slopes_right(trial.slope(drawn, marks.target), marks, both=form.kind != "multiclass")


def _noise(like: Tensor, seed: int) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _slopes_right(slope: Tensor, marks: Marks, both: bool) -> None:
    """Raising the score of a true label lowers the loss; raising that of a false one raises it."""
    slope = slope.double()
    require(bool(slope.isfinite().all()), "the gradient is not finite")
    for side, name in ((marks.hot > 0, "true"), (marks.hot == 0, "false")):
        if name == "false" and not both:
            continue
        wanted = -slope[side] if name == "true" else slope[side]
        total = wanted.abs().sum()
        require(bool(total > 1e-12), f"{name} scores get no gradient")
        require(bool(wanted.clamp_min(0).sum() > 0.9 * total), f"the gradient of {name} scores points the wrong way")


def shift_invariant(trial: Trial, form: Form) -> bool:
    """Whether adding one number to all scores of a position changes nothing, as under a softmax."""
    marks = marks_of(trial, form, 0)
    scores = draws.activated(_noise(marks.hot, 7), form.kind, form.scores)
    shifted = scores + 1.5
    if form.scores == "probabilities":
        scores, shifted = 0.4 * scores, 0.4 * scores + 0.4
    before, after = (trial.value(each, marks.target) for each in (scores, shifted))
    return math.isclose(before, after, rel_tol=1e-5, abs_tol=1e-7)


# Numbers.


def in_any_order(trial: Trial, form: Form) -> bool:
    """Whether the same samples in another order have the same loss."""
    tensors = examples.make(*form.key, trial.draw(form, None, 1.0, 7))
    count = len(tensors[0])
    order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
    values = (
        trial.value(*tensors),
        trial.value(*(each[order] if each.dim() and len(each) == count else each for each in tensors)),
    )
    return math.isclose(*values, rel_tol=1e-6, abs_tol=1e-9)


def fits_numbers(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless the loss is lowest where the input matches the target."""
    if not trial.spatial and form.scores in ("values", "rates", "log_rates"):
        require(in_any_order(trial, form), "samples are compared with their neighbours, so these are positions")
    for seed in _SEEDS:
        best, *others = examples.make(*form.key, trial.draw(form, True, 1.0, seed))
        _least_at(trial, best, others, form, seed)
        if form.scores in _EXACT:
            require(
                trial.value(best.roll(1, 0), *others) > trial.value(best, *others), "it does not depend on the target"
            )
        else:
            _level_at(trial, best, others, form)
        if "variance" in form.layout:
            _variance_costs(trial, best, others, form)


def _variance_costs(trial: Trial, best: Tensor, others: Sequence[Tensor], form: Form) -> None:
    """A larger variance raises the loss where the mean is correct; a much too small one raises it where it is wrong."""
    target, variance = reversed(others) if form.layout.endswith("between") else others
    log = "log" in form.layout

    def value(input: Tensor, spread: Tensor) -> float:
        given = (spread, target) if form.layout.endswith("between") else (target, spread)
        return trial.value(input, *given)

    spreads = [variance + math.log(n) if log else n * variance for n in (1.0, 3.0, 9.0)]
    costs = [value(best, spread) for spread in spreads]
    require(costs == sorted(costs) and costs[0] < costs[-1], "a larger variance does not raise the loss")
    if log:
        require(value(best, -variance.abs() - 2) < costs[0], "a log-variance below 0 has a higher loss than one above")


def _least_at(trial: Trial, best: Tensor, others: Sequence[Tensor], form: Form, seed: int) -> None:
    step = torch.Generator().manual_seed(seed)
    least = trial.value(best, *others)
    require(math.isfinite(least), "values are not finite, or it raises")
    higher = 0
    for size in (0.05, 0.05, 0.05, 0.3, 0.3, 0.3, 1.0, 1.0, 1.0):
        noise = size * torch.randn(best.shape, generator=step, dtype=torch.float64)
        cost = trial.value(_moved(best, noise, form), *others)
        require(math.isfinite(cost), "values are not finite, or it raises")
        require(cost >= least - 1e-9 * (1 + abs(least)), "it is not lowest where the input is the target")
        higher += cost > least + 1e-12 * (1 + abs(least))
    require(higher >= 6, "it does not grow with the distance to the target")


def _moved(best: Tensor, noise: Tensor, form: Form) -> Tensor:
    """Another prediction of the same sort."""
    if form.scores in ("rates", "positive"):
        return best * noise.exp()
    if form.scores == "log_probabilities":
        return (best + noise).log_softmax(1)
    if form.scores == "images":
        return (best + 0.3 * noise).clamp(0, 1)
    if form.scores == "boxes":
        return best + 0.1 * noise.tanh()
    return best + noise


def _level_at(trial: Trial, best: Tensor, others: Sequence[Tensor], form: Form) -> None:
    """The slope is 0 at the best prediction, and the loss depends on what a softmax would hide."""
    slope, aside = trial.slope(best, *others), trial.slope(best + 0.5 * _noise(best, 9).abs(), *others)
    if form.kind == "distribution":
        slope = slope - best.exp().to(slope) * slope.sum(1, keepdim=True)  # along distributions
    require(bool(slope.norm() < 1e-3 * aside.norm()), "its slope is not 0 where the input is the target")
    before, after = (trial.value(best + 0.3 + shift, *others) for shift in (0.0, 1.5))
    require(not math.isclose(before, after, rel_tol=1e-6, abs_tol=1e-9), "it normalises its input, so it takes logits")


def scale_free(trial: Trial, form: Form) -> bool:
    """Whether scaling input and target by the same number gives the same loss, as for overlaps and cosines."""
    input, target = examples.make(*form.key, trial.draw(form, None, 1.0, 3))
    return math.isclose(trial.value(input, target), trial.value(4 * input, 4 * target), rel_tol=1e-6, abs_tol=1e-9)


# Pairs, sets and sequences.


def fits_order(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless correct predictions have a lower loss than random ones, and those than wrong ones."""
    if form.layout == "signs":
        distances = examples.make(*form.key, trial.draw(form, None, 1.0, 0))[0]
        require(not _symmetric(trial, distances), "input and target can be swapped, so neither is a label")
    for seed in _SEEDS if trial.sign > 0 else range(8):  # so many that the negated loss does not fit by chance

        def make(correct: bool | None, scale: float = 1.0, seed: int = seed) -> draws.Tensors:
            return examples.make(*form.key, trial.draw(form, correct, scale, seed))

        right, wrong = make(True), make(False)
        gap = _ordered(best := trial.value(*right), trial.value(*wrong), trial.value(*make(None)))
        if form.layout != "above" and trial.sign > 0:  # the loss of a critic has no bound
            sure, surest = trial.value(*make(True, 3.0)), trial.value(*make(True, 9.0))
            require(surest > sure - 0.5 * gap, "it has no lower bound")
        if form.layout in ("signs", "order") or form.layout.startswith("alike"):
            _both_sides_count(trial, right, wrong, best, gap)


def _both_sides_count(trial: Trial, right: Sequence[Tensor], wrong: Sequence[Tensor], best: float, gap: float) -> None:
    target = right[-1]
    for side in sorted(set(target.flatten().tolist())) if target.numel() == len(target) else (-1.0, 1.0):
        chosen = target == side
        mixed = []
        for a, b in zip(right[:-1], wrong[:-1], strict=True):
            where = chosen.reshape(*chosen.shape, *(1,) * (a.dim() - chosen.dim()))
            mixed.append(torch.where(where, b, a))
        cost = trial.value(*mixed, target)
        require(cost > best + 1e-3 * gap, f"pairs with a target of {side:g} have the same loss, correct or wrong")


def fits_narrow(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless the loss is one of boxes, of quantiles, or of images by local neighbourhoods."""
    fits_numbers(trial, form)
    input, target = examples.make(*form.key, trial.draw(form, None, 1.0, 5))
    require(bool(trial.slope(input, target).any()), "it gives no gradient")
    if form.layout == "quantiles":
        require(trial.value(input + 64, target) > 2 * trial.value(input + 16, target), "it does not grow with distance")
    if form.layout == "images":
        for shift in (-0.2, -0.1, 0.1, 0.2):
            beside = trial.value(target + shift, target) > trial.value(target, target)
            require(beside, "a uniformly brighter or darker image than the target has a lower loss")
        order = torch.randperm(input[0, 0].numel(), generator=torch.Generator().manual_seed(0))
        shuffled = [t.flatten(2)[..., order].reshape(t.shape) for t in (input, target)]
        same = math.isclose(trial.value(*shuffled), trial.value(input, target), rel_tol=1e-6, abs_tol=1e-9)
        shifted = math.isclose(trial.value(input + 0.1, target), trial.value(input, target), rel_tol=1e-6, abs_tol=1e-9)
        require(not shifted, "it does not depend on the brightness of an image")
        require(not same, "shuffling the positions changes nothing, so these may be any numbers")


def fits_teacher_and_labels(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless the loss is lowest for correct predictions, and depends only on the softmax."""
    fits_order(trial, form)
    student, *others = examples.make(*form.key, trial.draw(form, None, 1.0, 5))
    shifts = 3 * _noise(student[:, :1], 6)
    require(
        math.isclose(trial.value(student, *others), trial.value(student + shifts, *others), rel_tol=1e-6), "no softmax"
    )


def fits_teacher(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless the loss is lowest at the teacher's logits, and depends only on their softmax."""
    fits_numbers(trial, form)
    student, teacher = examples.make(*form.key, trial.draw(form, None, 1.0, 5))
    shifts = 3 * _noise(student[:, :1], 6)
    before = trial.value(student, teacher)
    require(math.isclose(before, trial.value(student + shifts, teacher), rel_tol=1e-6, abs_tol=1e-9), "no softmax")
    require(not scale_free(trial, form), "it does not depend on the scale")


def fits_prior(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless the loss of a mean and a log-variance is lowest at 0 and 0."""
    best = examples.make(*form.key, trial.draw(form, True, 1.0, 0))
    least = trial.value(*best)
    for seed in _SEEDS:
        mean, log_var = examples.make(*form.key, trial.draw(form, None, 1.0, seed))
        for given in ((mean, log_var), (0 * mean, log_var), (mean, 0 * log_var), (mean, mean), (mean, 2 * mean)):
            require(trial.value(*given) > least + 1e-6, "it is not lowest at a mean and a log-variance of 0")
        sides = [trial.value(n * mean, 0 * log_var) for n in (1, -1)]
        require(math.isclose(*sides, rel_tol=1e-6), "the sign of the mean matters")
        spreads = [trial.value(0 * mean, n * log_var.abs()) for n in (1, -1)]
        require(spreads[0] > spreads[1] * 1.001, "a variance too large has the loss of one too small")


def fits_alone(trial: Trial, form: Form) -> None:
    """Raise DoesNotFit unless the loss of one tensor depends on it."""
    (input,) = examples.make(*form.key, trial.draw(form, None, 1.0, 0))
    require(bool(trial.slope(input).any()), "it gives no gradient")


def monotone(trial: Trial, form: Form) -> bool:
    """Whether the loss falls all the way through the correct prediction, as if an absolute value were missing."""
    best, *others = examples.make(*form.key, trial.draw(form, True, 1.0, 0))
    costs = [trial.value(best + shift, *others) for shift in (-16.0, -4.0, 0.0, 4.0, 16.0)]
    return costs in (sorted(costs), sorted(costs, reverse=True)) and costs[0] != costs[-1]


def roughly(trial: Trial, form: Form) -> bool:
    """Whether correct predictions have a lower loss than random and wrong ones, whatever the slopes are."""
    for seed in range(6):  # so many that chance does not pass
        right, random, wrong = (
            examples.make(*form.key, trial.draw(form, correct, 3.0, seed)) for correct in (True, None, False)
        )
        costs = [trial.value(*each) for each in (right, random, wrong)]
        gap = 1e-6 * (1 + abs(costs[2]))
        if not (costs[0] < costs[2] - gap and costs[0] < costs[1] + gap):
            return False
        if form.kind in ("binary", "multilabel") and form.labels:  # no error lowers the loss
            for side in (right[1] > 0.5, right[1] <= 0.5):
                one = torch.where(side.reshape(right[0].shape), wrong[0], right[0])
                if trial.value(one, *right[1:]) < costs[0] - gap:
                    return False
    return True
