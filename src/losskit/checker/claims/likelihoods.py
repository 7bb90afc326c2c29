"""Likelihoods: of independent samples, whose losses add up, and of all outcomes, whose probabilities add up to 1."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch

from losskit.checker.checks.tools import additive, close, code, is_random, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.claims.named import Named, is_flag
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_JOINT = (
    r"\bcox\b|partial|rank|contrast|pairwise|copula|markov|\bcrf\b|forward.?backward|batch (norm|stat)|weight|balanc|"
    r"dispers|sequence|elbo|normali[sz]e"
)


@kind(r"likelihood|\bnll|_nll\b|nll_")
def of_samples(subject: Subject) -> Iterator[Found]:
    """Whether the likelihood of a batch is the sum or the mean of those of its samples."""
    spec = subject.spec
    if spec.kind not in ("penalty", "survival", "regression") or spec.layout == "alone" or spec.way.inside:
        return
    if re.search(_JOINT, subject.words.all) or is_random(subject):
        return
    if not additive(spec) and spec.kind != "survival":
        return
    tensors = subject.example(batch=4)
    if any(each.dim() == 0 or len(each) != 4 for each in tensors) or len(tensors) < 3:
        return
    whole = tried(value, subject, *tensors)
    parts = [tried(value, subject, *(each[n : n + 1] for each in tensors)) for n in range(4)]
    if whole is None or any(each is None or not math.isfinite(each) for each in parts):
        return
    total = sum(each or 0.0 for each in parts)
    scales = {4, 1, *(int(each.sum()) for each in tensors if each.dim() == 1 and set(each.tolist()) <= {0.0, 1.0})}
    if any(scale and close(whole, total / scale, 1e-3, 1e-5) for scale in scales):
        return
    halves = [tried(value, subject, *(each[n : n + 2] for each in tensors)) for n in (0, 2)]
    if None in halves or close(whole, sum(each or 0.0 for each in halves) / 2, 1e-3, 1e-5):
        return
    flags = [n for n, each in enumerate(tensors) if each.dim() == 1 and set(each.tolist()) <= {0.0, 1.0}]
    if not flags:
        return  # the weights of a mean may come from any other tensor
    yield Found(
        "the likelihood of a batch is neither the sum nor the mean of those of its samples: numbers of one sample "
        "are combined with those of others",
        {"batch of 4": whole, "mean of its samples": total / 4},
        code(subject, *tensors),
        None,
        "Combine the terms of each sample before the mean over the batch.",
    )


@kind(r"hazard")
def of_outcomes(subject: Subject) -> Iterator[Found]:
    """Whether the probabilities of an event in each interval, and of none in all of them, add up to 1."""
    spec = subject.spec
    if spec.layout != "bins" or not re.search(r"likelihood|nll", subject.words.all):
        return
    count = spec.classes
    logits = torch.tensor([[0.3, -0.8, 0.5, -0.2, 0.1, 0.7, -0.4, 0.2][:count]])
    input = logits.sigmoid() if spec.scores == "probabilities" else logits
    if input.shape[1] != count:
        return
    none = float((1 - logits.sigmoid()).prod())
    costs = [tried(value, subject, input, torch.tensor([n]), torch.ones(1)) for n in range(count)]
    if any(each is None or not math.isfinite(each) for each in costs):
        return
    for scale in (1.0, float(count)):  # a mean over the intervals
        if close(sum(math.exp(-scale * (each or 0.0)) for each in costs), 1 - none, 1e-3):
            return
    found = sum(math.exp(-(each or 0.0)) for each in costs)
    yield Found(
        "the probabilities of an event in each interval do not add up to that of an event at all: the likelihood of "
        "an event needs the survival up to the interval before it, and the hazard of its own",
        {"sum over the intervals": found, "1 minus the survival of all": 1 - none},
        code(subject, input, torch.tensor([0]), torch.ones(1)),
        None,
        "log h(t) + sum over s < t of log(1 - h(s)); with censoring, sum over s <= t of log(1 - h(s)).",
    )


_OBSERVED = r"events?|observed|status|event_\w+|is_event|uncensored|delta|e"
_TIMES = r"times?|durations?|t|survival_?times?|y"


@kind(r"censor|surviv|hazard|event", code="event")
def of_censored(subject: Subject) -> Iterator[Found]:
    """Whether a censored sample that was seen for longer has a higher loss: its survival falls with time."""
    if subject.spec.way.inside or re.search(r"\bcox\b|partial|rank|concordance", subject.words.all):
        return
    call = Named(subject, batch=4)
    events, times = call.like(_OBSERVED), call.numbers(_TIMES)
    if len(events) != 1 or len(times) != 1 or not is_flag(call[events[0]]) or not bool((call[times[0]] > 0).all()):
        return
    if not re.search(r"likelihood|nll", subject.words.all):
        return
    censored = {events[0]: torch.zeros_like(call[events[0]])}
    times_ = [call[times[0]] * factor for factor in (1.0, 1.5, 2.5)]
    costs = [call.value({**censored, times[0]: each}) for each in times_]
    if all(map(math.isfinite, costs)) and costs[2] < costs[1] < costs[0] - 1e-5:
        yield Found(
            "a censored sample that was seen for longer has a lower loss: its term is not the log-survival",
            {"2.5 times as long": costs[2], "before": costs[0]},
            call.code({**censored, times[0]: times_[2]}),
            None,
            "event * log_density + (1 - event) * log_survival, negated.",
        )


@kind(r"\bcox|partial.?likelihood|censor|surviv")
def without_events(subject: Subject) -> Iterator[Found]:
    """Whether a batch in which no event was observed has a finite loss."""
    if subject.spec.way.inside or not subject.words.say(r"(averag\w+|mean) over (the |all )?(observed )?events"):
        return
    call = Named(subject, batch=4)
    events = call.like(_OBSERVED)
    if len(events) != 1 or not is_flag(call[events[0]]) or not math.isfinite(call.value({})):
        return
    none = {events[0]: torch.zeros_like(call[events[0]])}
    found = call.pull(subject.parameters[subject.order(0)], none)
    if found is not None and not found.finite:
        yield Found(
            "a batch in which no event was observed has a loss of NaN: it is divided by the number of events",
            {"value": float(found.value)},
            call.code(none),
            None,
            "event.sum().clamp(min=1)",
        )


@kind(r"deep ?hit|cumulative incidence|\bpmf\b")
def of_event_times(subject: Subject) -> Iterator[Found]:
    """Whether probabilities at the observed times have a lower loss than at those of other samples."""
    call = Named(subject, batch=6)
    shares, times = call.numbers(r"pmf|probs?|phi|logits|p"), call.like(r"(idx_)?durations?|times?|bins?|t")
    events = call.like(_OBSERVED)
    if not len(shares) == len(times) == len(events) == 1 or call[shares[0]].dim() != 2:
        return
    count = call[shares[0]].shape[1]
    if call[times[0]].is_floating_point() or count < 3:
        return
    at = torch.arange(6) % count
    hot = torch.nn.functional.one_hot(at, count).float()
    rows = 0.1 / count + 0.9 * hot if not re.search("logit|phi", shares[0].lower()) else 3 * hot
    given = {times[0]: at, events[0]: torch.ones_like(call[events[0]])}
    right, wrong = (call.value({**given, shares[0]: each}) for each in (rows, rows.flip(1)))
    if math.isfinite(right) and math.isfinite(wrong) and right > wrong + 1e-5:
        yield Found(
            "probabilities at the observed times have a higher loss than those of the reversed times",
            {"at the observed times": right, "reversed": wrong},
            call.code({**given, shares[0]: rows}),
            None,
            "exp(-(own - other) / sigma): the earlier event needs the larger cumulative incidence.",
        )
