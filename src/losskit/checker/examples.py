"""Examples: well-posed calls of every form of loss, with correct, wrong, or random predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from losskit.checker import several
from losskit.checker.draws import Draw, labels_of, laid_out, one_hot_of, scores_of

Tensors = tuple[Tensor, ...]


def _shaped(draw: Draw) -> tuple[int, ...]:
    return (draw.samples, draw.classes, *draw.spatial)


def _away(draw: Draw, like: Tensor) -> Tensor:
    """Numbers at least `scale` from 0, on either side."""
    noise = draw.normal(*like.shape)
    return draw.scale * (noise + torch.where(noise < 0, -1.0, 1.0).to(noise))


def _near(draw: Draw, target: Tensor) -> Tensor:
    """A prediction for a target of numbers."""
    if draw.correct is None:
        return draw.scale * draw.normal(*target.shape)
    return target.clone() if draw.correct else target + _away(draw, target)


def _numbers(draw: Draw) -> Tensors:
    target = draw.normal(*_shaped(draw))
    return _near(draw, target), target


def _numbers_bare(draw: Draw) -> Tensors:
    target = draw.normal(draw.samples, *draw.spatial)
    return _near(draw, target), target


def _with_variance(draw: Draw) -> Tensors:
    input, target = _numbers(draw)
    return input, target, draw.normal(*target.shape).abs() + 0.2


def _counts(draw: Draw) -> Tensors:
    target = (draw.normal(*_shaped(draw)).abs() * 3).floor() + (0 if draw.correct is None else 1)
    return _near(draw, target.clamp_min(0.5).log()), target


def _rates(draw: Draw) -> Tensors:
    target = (draw.normal(*_shaped(draw)).abs() * 3).floor() + (0 if draw.correct is None else 1)
    if draw.correct is None:
        return draw.scale * draw.normal(*target.shape).abs() + 0.1, target
    return target.clone() if draw.correct else target + _away(draw, target).abs(), target


def _positives(draw: Draw) -> Tensors:
    """Positive numbers, as depths or magnitudes."""
    target = draw.normal(*_shaped(draw)).abs() + 0.5
    if draw.correct:
        return target.clone(), target
    noise = 0.5 * draw.scale * (draw.normal(*target.shape) if draw.correct is None else _away(draw, target))
    return target * noise.clamp(-2, 2).exp(), target


def _soft(draw: Draw) -> Tensor:
    return draw.normal(*_shaped(draw)).softmax(1)


def _distributions(draw: Draw) -> Tensors:
    target = _soft(draw)
    noise = 0.0 if draw.correct else draw.scale * draw.normal(*target.shape)
    return (target.log() + noise).log_softmax(1), target


def _log_distributions(draw: Draw) -> Tensors:
    input, target = _distributions(draw)
    return input, target.log()


def _label_lists(draw: Draw) -> Tensors:
    """One true class per sample, and nothing after it."""
    first = torch.randint(draw.classes, (draw.samples,), generator=draw.generator)
    target = torch.full((draw.samples, draw.classes), -1)
    target[:, 0] = first
    return scores_of("multiclass", first, draw, "logits"), target


def _signs(draw: Draw, *size: int) -> Tensor:
    return 2 * draw.flags(*size) - 1


def _right_signs(draw: Draw, signs: Tensor) -> Tensor:
    """The side on which a prediction is: the correct one, the wrong one, or either."""
    if draw.correct is None:
        return torch.sign(draw.normal(*signs.shape))
    return signs if draw.correct else -signs


def _distances(draw: Draw) -> Tensors:
    target = _signs(draw, *_shaped(draw))
    if draw.correct is None:
        return draw.scale * draw.normal(*target.shape).abs(), target
    return torch.where(_right_signs(draw, target) > 0, 0.0, 2.0 * draw.scale).double(), target


def _ranking(draw: Draw) -> Tensors:
    target = _signs(draw, *_shaped(draw))
    first = draw.scale * draw.normal(*target.shape)
    if draw.correct is None:
        return first, draw.scale * draw.normal(*target.shape), target
    return first, first - 2.0 * draw.scale * _right_signs(draw, target), target


def _pairs(draw: Draw, yes: float, no: float) -> Tensors:
    target = _signs(draw, draw.samples)
    first = draw.scale * draw.normal(draw.samples, draw.classes)
    second = draw.scale * draw.normal(draw.samples, draw.classes)
    if draw.correct is not None:
        second = torch.where(_right_signs(draw, target).unsqueeze(1) > 0, first, -first)
    return first, second, torch.where(target > 0, yes, no).double()


def _triplets(draw: Draw) -> Tensors:
    anchor, one, other = (draw.scale * draw.normal(draw.samples, draw.classes) for _ in range(3))
    if draw.correct is None:
        return anchor, one, other
    return (anchor, anchor.clone(), -anchor) if draw.correct else (anchor, -anchor, anchor.clone())


def _partners(draw: Draw) -> Tensors:
    first = draw.scale * draw.normal(draw.samples, draw.classes)
    if draw.correct is None:
        return first, draw.scale * draw.normal(draw.samples, draw.classes)
    return first, first.clone() if draw.correct else first.roll(1, 0)


def _groups(draw: Draw) -> Tensors:
    target = torch.arange(draw.samples) // 2
    centres = draw.normal(draw.samples, draw.classes)[target]
    if draw.correct is None:
        return draw.scale * draw.normal(draw.samples, draw.classes), target
    first = draw.scale * (centres + 0.01 * draw.normal(draw.samples, draw.classes))
    return first if draw.correct else first.roll(1, 0), target


def _sequences(draw: Draw) -> Tensors:
    """Seven steps, two different labels per sample."""
    steps, classes = 7, max(draw.classes, 3)
    targets = torch.tensor([[1, 2]] * draw.samples)
    labels = torch.tensor([0, 1, 1, 0, 2, 2, 0])
    said = labels if draw.correct else (labels + 1) % 3
    logits = draw.scale * (2 * torch.nn.functional.one_hot(said, classes).double() - 1)
    logits = logits.unsqueeze(1).expand(steps, draw.samples, classes)
    if draw.correct is None:
        logits = draw.scale * draw.normal(steps, draw.samples, classes)
    lengths = torch.full((draw.samples,), steps), torch.full((draw.samples,), 2)
    return logits.log_softmax(2), targets, *lengths


def _log_variance(draw: Draw) -> Tensors:
    input, target, variance = _with_variance(draw)
    return input, target, variance.log()


def _between(make: Callable[[Draw], Tensors]) -> Callable[[Draw], Tensors]:
    """The same tensors with the target last."""
    return lambda draw: (made := make(draw))[:1] + made[2:] + made[1:2]


def _quantiles(draw: Draw) -> Tensors:
    target = draw.normal(draw.samples)
    answer = target.unsqueeze(1).expand(-1, draw.classes)
    return (draw.scale * draw.normal(*answer.shape) if draw.correct is None else _near(draw, answer)), target


def _corners(centre: Tensor, size: Tensor) -> Tensor:
    return torch.cat([centre - size / 2, centre + size / 2], 1)


def _boxes(draw: Draw) -> Tensors:
    """Boxes that overlap their targets for small scales, and lie apart from them if the prediction is wrong."""
    centre, size = 3 * draw.normal(draw.samples, 2), draw.normal(draw.samples, 2).abs() + 1.0
    target = _corners(centre, size)
    if draw.correct:
        return target.clone(), target
    away = draw.normal(draw.samples, 2)
    if draw.correct is False:
        away = away + 4 * torch.where(away < 0, -1.0, 1.0).to(away)
    moved = _corners(centre + 0.5 * draw.scale * away, size * (0.3 * draw.normal(draw.samples, 2)).exp())
    return moved, target


def _centred_boxes(draw: Draw) -> Tensors:
    """The same boxes as centre, width and height."""

    def centred(boxes: Tensor) -> Tensor:
        return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)

    input, target = map(centred, _boxes(draw))
    return input, target


def _heatmaps(draw: Draw) -> Tensors:
    """Probabilities, and heatmaps that fall from 1 at one place of every channel."""
    height, width = draw.spatial if len(draw.spatial) == 2 else (6, 7)
    count = draw.samples * draw.classes
    rows = torch.randint(height, (count, 1, 1), generator=draw.generator)
    columns = torch.randint(width, (count, 1, 1), generator=draw.generator)
    away = (torch.arange(height).reshape(-1, 1) - rows) ** 2 + (torch.arange(width) - columns) ** 2
    target = torch.exp(-away.double() / 3).reshape(draw.samples, draw.classes, height, width)
    noise = draw.scale * draw.normal(*target.shape)
    if draw.correct is None:
        return noise.sigmoid(), target
    side = draw.scale * torch.where((target == 1) == draw.correct, 2.0, -2.0).double()
    return side.sigmoid(), target


def _heatmaps_of_logits(draw: Draw) -> Tensors:
    input, target = _heatmaps(draw)
    return input.logit(), target


def _images(draw: Draw) -> Tensors:
    """Images that differ from place to place, away from 0 and 1."""
    size = (draw.samples, 3, *(draw.spatial or (16, 18)))
    target = (0.25 + 0.5 * torch.rand(size, generator=draw.generator, dtype=torch.float64)).round(decimals=4)
    other = (0.25 + 0.5 * torch.rand(size, generator=draw.generator, dtype=torch.float64)).round(decimals=4)
    share = {None: 0.5, True: 0.0, False: 1.0}[draw.correct]
    return (1 - share) * target + share * other, target


def _ranks(draw: Draw) -> Tensors:
    target = torch.arange(draw.samples) % (draw.classes + 1)
    above = (target.unsqueeze(1) > torch.arange(draw.classes)).double()
    if draw.correct is None:
        return draw.scale * draw.normal(draw.samples, draw.classes), target
    return draw.scale * (2 * above - 1) * (1 if draw.correct else -1), target


def _teacher(draw: Draw) -> Tensors:
    target = 2 * draw.normal(*_shaped(draw))
    return _near(draw, target), target


def _teacher_and_labels(draw: Draw) -> Tensors:
    labels = labels_of("multiclass", draw)
    hot = one_hot_of("multiclass", labels, draw.classes)
    teacher = 3 * hot + 0.3 * draw.normal(*_shaped(draw))
    return scores_of("multiclass", labels, draw, "logits"), teacher, labels


def _above(draw: Draw) -> Tensors:
    first, second = draw.normal(draw.samples), draw.normal(draw.samples)
    if draw.correct is None:
        return draw.scale * first, draw.scale * second
    high, low = draw.scale * (first.abs() + 0.5), -draw.scale * (second.abs() + 0.5)
    return (high, low) if draw.correct else (low, high)


def _survival(draw: Draw) -> Tensors:
    time = draw.normal(draw.samples).abs() + 0.1 * torch.arange(draw.samples) + 0.1
    event = draw.flags(draw.samples)
    event[time.argmin()] = 1.0
    if draw.correct is None:
        return draw.scale * draw.normal(draw.samples), time, event
    risk = -draw.scale * (time - time.mean())
    return (risk if draw.correct else -risk), time, event


def _bins(draw: Draw) -> Tensors:
    bins = torch.arange(draw.samples) % draw.classes
    event = draw.flags(draw.samples)
    steps = torch.arange(draw.classes)
    at = (steps == bins.unsqueeze(1)) & (event.unsqueeze(1) > 0)
    if draw.correct is None:
        return draw.scale * draw.normal(draw.samples, draw.classes), bins, event
    return draw.scale * (2.0 * at - 1).double() * (1 if draw.correct else -1), bins, event


def _censored_bins(draw: Draw) -> Tensors:
    input, bins, event = _bins(draw)
    return input, bins, 1 - event


def _hazards(make: Callable[[Draw], Tensors]) -> Callable[[Draw], Tensors]:
    """The same with the probability of an event in each bin."""
    return lambda draw: ((made := make(draw))[0].sigmoid(), *made[1:])


def _elbo(draw: Draw) -> Tensors:
    """A reconstruction that is correct or wrong, and a posterior that equals the prior or not."""
    size = draw.samples, draw.classes
    target, none = draw.flags(*size), torch.zeros(size).double()
    if draw.correct is None:
        return draw.scale * draw.normal(*size), target, draw.scale * draw.normal(*size), 0.3 * draw.normal(*size)
    return target.clone(), target, none if draw.correct else _away(draw, none), none


def _batch_first(draw: Draw) -> Tensors:
    """Logits (N, T, C) of sequences."""
    logs, *others = _sequences(draw)
    return logs.transpose(0, 1), *others


def _elbo_of_shares(draw: Draw) -> Tensors:
    """The same with a reconstruction in (0, 1)."""
    size = draw.samples, draw.classes
    _, target, mean, log_var = _elbo(draw)
    wrong = torch.rand(size, generator=draw.generator, dtype=torch.float64)
    near = (0.1 + 0.8 * wrong) if draw.correct is None else (0.05 + 0.9 * (target if draw.correct else 1 - target))
    return near, target, mean, log_var


def _next(draw: Draw) -> Tensors:
    """Logits (N, 6, V), each of the token at the next position, and tokens from 1 on."""
    classes = max(draw.classes, 3)
    tokens = torch.randint(1, classes, (draw.samples, 6), generator=draw.generator)
    following = tokens.roll(-1, 1)
    said = following if draw.correct else (following % (classes - 1)) + 1
    logits = draw.scale * (2 * torch.nn.functional.one_hot(said, classes).double() - 1)
    return (draw.scale * draw.normal(*logits.shape) if draw.correct is None else logits), tokens


def _alone(draw: Draw) -> Tensors:
    return (draw.scale * draw.normal(*_shaped(draw)),)


def _prior(draw: Draw) -> Tensors:
    if draw.correct:
        return torch.zeros(_shaped(draw)).double(), torch.zeros(_shaped(draw)).double()
    return draw.scale * draw.normal(*_shaped(draw)), draw.normal(*_shaped(draw))


PAIR = ("input", "target")
# Every form except those of labels, by kind, scores and layout: the names of its tensors and how to make them.
OTHERS: dict[tuple[str, str, str], tuple[tuple[str, ...], Callable[[Draw], Tensors]]] = {
    ("regression", "values", "same"): (PAIR, _numbers),
    ("regression", "values", "bare"): (PAIR, _numbers_bare),
    ("regression", "values", "with-log-variance"): (("input", "target", "log_var"), _log_variance),
    ("regression", "values", "log-variance-between"): (("input", "log_var", "target"), _between(_log_variance)),
    ("regression", "values", "with-variance"): (("input", "target", "var"), _with_variance),
    ("regression", "log_rates", "counts"): (PAIR, _counts),
    ("regression", "rates", "counts"): (PAIR, _rates),
    ("regression", "values", "variance-between"): (("input", "var", "target"), _between(_with_variance)),
    ("distribution", "log_probabilities", "soft"): (PAIR, _distributions),
    ("distribution", "log_probabilities", "log-soft"): (PAIR, _log_distributions),
    ("multilabel", "logits", "label-lists"): (PAIR, _label_lists),
    ("pairs", "distances", "signs"): (PAIR, _distances),
    ("pairs", "values", "order"): (("input1", "input2", "target"), _ranking),
    ("pairs", "embeddings", "alike"): (("input1", "input2", "target"), lambda draw: _pairs(draw, 1.0, -1.0)),
    ("pairs", "embeddings", "alike-1"): (("input1", "input2", "target"), lambda draw: _pairs(draw, 1.0, 0.0)),
    ("pairs", "embeddings", "alike-0"): (("input1", "input2", "target"), lambda draw: _pairs(draw, 0.0, 1.0)),
    ("pairs", "embeddings", "triplets"): (("anchor", "positive", "negative"), _triplets),
    ("pairs", "embeddings", "partners"): (PAIR, _partners),
    ("pairs", "embeddings", "groups"): (PAIR, _groups),
    ("sequence", "log_probabilities", "sequences"): (
        ("log_probs", "targets", "input_lengths", "target_lengths"),
        _sequences,
    ),
    ("distribution", "logits", "teacher"): (PAIR, _teacher),
    ("distribution", "logits", "teacher-and-labels"): (("input", "teacher", "target"), _teacher_and_labels),
    ("regression", "values", "quantiles"): (PAIR, _quantiles),
    ("regression", "boxes", "boxes"): (PAIR, _boxes),
    ("regression", "boxes", "centred"): (PAIR, _centred_boxes),
    ("regression", "boxes", "sides"): (PAIR, lambda draw: _positives(replace(draw, classes=4, spatial=()))),
    ("regression", "images", "images"): (PAIR, _images),
    ("regression", "probabilities", "heatmap"): (PAIR, _heatmaps),
    ("regression", "logits", "heatmap"): (PAIR, _heatmaps_of_logits),
    ("ordinal", "logits", "ranks"): (PAIR, _ranks),
    ("survival", "values", "survival"): (("input", "time", "event"), _survival),
    ("survival", "logits", "bins"): (("input", "bins", "event"), _bins),
    ("survival", "probabilities", "bins"): (("input", "bins", "event"), _hazards(_bins)),
    ("survival", "logits", "censored-bins"): (("input", "bins", "censored"), _censored_bins),
    ("survival", "probabilities", "censored-bins"): (("input", "bins", "censored"), _hazards(_censored_bins)),
    ("regression", "positive", "same"): (PAIR, _positives),
    ("pairs", "values", "above"): (("input1", "input2"), _above),
    ("penalty", "values", "log-variance"): (("mean", "log_var"), _prior),
    ("penalty", "values", "elbo"): (("input", "target", "mean", "log_var"), _elbo),
    ("penalty", "probabilities", "elbo"): (("input", "target", "mean", "log_var"), _elbo_of_shares),
    ("sequence", "logits", "next"): (PAIR, _next),
    ("sequence", "logits", "batch-first"): (("input", "targets", "input_lengths", "target_lengths"), _batch_first),
    ("penalty", "values", "alone"): (("input",), _alone),
}


def tensors_of(kind: str, scores: str, layout: str) -> tuple[str, ...]:
    """The names of the tensors in a call of this form."""
    if layout.startswith(several.SEVERAL):
        return ("input", *(f"tensor{n}" for n in range(2, len(several.parts_of(layout)) + 1)))
    found = OTHERS.get((kind, scores, layout))
    return PAIR if found is None else found[0]


def make(kind: str, scores: str, layout: str, draw: Draw) -> Tensors:
    """The tensors of a call of this form, in float64."""
    if layout.startswith(several.SEVERAL):
        return several.make(layout, draw)
    found = OTHERS.get((kind, scores, layout))
    if found is not None:
        return found[1](draw)
    labels = labels_of(kind, draw)
    input = scores_of(kind, labels, draw, scores)
    target = laid_out(kind, layout, labels, draw.classes)
    return (input.squeeze(1) if layout == "bare" else input), target
