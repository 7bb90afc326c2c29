"""Losses of diffusion models: weights by the signal-to-noise ratio, and the target of a velocity."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from losskit.checker import draws
from losskit.checker.calling import loss_of
from losskit.checker.checks.tools import code, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.claims.named import Named
from losskit.checker.finding import Found
from losskit.checker.origin import call_parameters
from losskit.checker.subject import Subject
from losskit.checker.uses import MODEL

_STEP = r"t|ts|time_?steps?|steps?"
_OTHER_TARGETS = r"velocity|v.?pred\w*|x_?0|x_?start|sample prediction|predict\w* (the )?(clean|image|sample|data)"


@kind(r"min.?snr")
def min_snr(subject: Subject) -> Iterator[Found]:
    """Whether the weight of noisy steps is 1 and that of clean steps less, for a prediction of the noise."""
    if re.search(_OTHER_TARGETS, subject.words.all) or not re.search(r"noise|eps", subject.words.all):
        return
    call = Named(subject)
    steps = [name for name in call.like(_STEP) if not call[name].is_floating_point() and call[name].dim() == 1]
    if len(steps) != 1:
        return
    tables = [each.numel() for each in getattr(subject.build(), "buffers", list)() if each.dim() == 1]
    last = max(tables, default=0) - 1
    if last < 20:
        return

    def weight(step: int) -> float:
        return call.value({steps[0]: torch.full_like(call[steps[0]], step)})

    at = {step: weight(step) for step in (0, last - 1, last)}
    if not all(map(math.isfinite, at.values())) or at[last] <= 0:
        return
    level = math.isclose(at[last], at[last - 1], rel_tol=1e-3)
    if level and at[0] <= at[last]:
        return
    what = "the weights of the noisiest steps differ" if not level else "the first step weighs more than the last"
    yield Found(
        f"{what}: min(SNR, gamma) / SNR is 1 wherever the SNR is below gamma",
        {f"loss at step {last}": at[last], f"at step {last - 1}": at[last - 1], "at step 0": at[0]},
        call.code({steps[0]: torch.full_like(call[steps[0]], last)}),
        None,
        "snr.clamp(max=gamma) / snr, with snr = alphas_cumprod / (1 - alphas_cumprod).",
    )


@kind(r"velocity|v.?pred")
def velocity(subject: Subject) -> Iterator[Found]:
    """Whether the target is sqrt(a) * noise - sqrt(1 - a) * x0, with the cumulative product a."""
    call = Named(subject, batch=3)
    outputs = call.numbers(r"(model_?)?(out(put)?|pred(iction)?)|v_?(pred|hat|theta)|pred_?v|model_pred|output")
    clean = call.numbers(r"x_?(0|start|clean)|clean\w*|latents?|images?|original\w*|x")
    noise = call.numbers(r"noise|eps(ilon)?")
    tables = call.numbers(r"alphas?_?(bar|cumprod|hat)s?|a_?bar|alphas_cumprod|alpha_cumprod")
    if not len(outputs) == len(clean) == len(noise) == len(tables) == 1:
        return
    at = 0.36
    changed = {tables[0]: torch.full_like(call[tables[0]], at)}
    sides = {
        "the velocity": at**0.5 * call[noise[0]] - (1 - at) ** 0.5 * call[clean[0]],
        "sqrt(a) * x0 - sqrt(1 - a) * noise": at**0.5 * call[clean[0]] - (1 - at) ** 0.5 * call[noise[0]],
        "the noisy sample": at**0.5 * call[clean[0]] + (1 - at) ** 0.5 * call[noise[0]],
        "a velocity without square roots": at * call[noise[0]] - (1 - at) * call[clean[0]],
        "a velocity with a and 1 - a exchanged": (1 - at) ** 0.5 * call[noise[0]] - at**0.5 * call[clean[0]],
    }
    if any(each.shape != call[outputs[0]].shape for each in sides.values()):
        return
    costs = {name: call.value({**changed, outputs[0]: each}) for name, each in sides.items()}
    if not all(map(math.isfinite, costs.values())):
        return
    best = min(costs, key=lambda name: costs[name])
    if best != "the velocity" and costs[best] < 1e-6 < costs["the velocity"]:
        yield Found(
            f"the loss is 0 at {best}, not at the velocity sqrt(a) * noise - sqrt(1 - a) * x0",
            {"at the velocity": costs["the velocity"], "there": costs[best]},
            call.code({**changed, outputs[0]: sides["the velocity"]}),
            None,
            "a.sqrt() * noise - (1 - a).sqrt() * x0",
        )


_EPSILON = r"noise|eps(ilon)?"
_PER_SAMPLE = r"min.?snr|p2|snr|diffusion|ddpm|timestep|flow.?matching"


@kind(_PER_SAMPLE)
def own_weight(subject: Subject) -> Iterator[Found]:
    """Whether the weight of a step multiplies the error of its own sample."""
    call = Named(subject, batch=4)
    steps = [name for name in call.like(_STEP) if call[name].dim() == 1 and len(call[name]) == 4]
    first = call.tensors[0]
    if len(steps) != 1 or first.dim() < 2 or len(first) != 4 or subject.spec.way.inside:
        return
    if re.search(r"normali[sz]", subject.words.all):
        return  # the weights of a batch have a mean of 1
    time = call[steps[0]]
    one, other = (torch.full_like(time, each) for each in ((5, 1) if not time.is_floating_point() else (0.7, 0.2)))
    low, high = call.value({steps[0]: one}), call.value({steps[0]: other})
    if not (math.isfinite(low) and math.isfinite(high)) or math.isclose(low, high, rel_tol=1e-3):
        return
    target = [n for n, each in enumerate(call.tensors) if n and each.shape == first.shape]
    if len(target) != 1:
        return
    zero = call.tensors[target[0]]
    # The error is in sample 0 alone, so only the step of sample 0 matters.
    wrong = zero.clone()
    wrong[0] += 1.0
    mixed = time.clone()
    mixed[:] = other
    mixed[0] = one[0]
    costs = []
    for step in (one, mixed):
        given = list(call.with_({steps[0]: step}))
        given[0], given[target[0]] = wrong, zero
        costs.append(tried(value, subject, *given))
    if None in costs or math.isclose(costs[0], costs[1], rel_tol=1e-3):  # type: ignore[arg-type]
        return
    exact = list(call.with_({steps[0]: one}))
    exact[0] = zero
    if (tried(value, subject, *exact) or 0.0) > 1e-6:
        return  # other samples have errors too
    yield Found(
        "with an error in one sample alone, the steps of the other samples change the loss: weights multiply the "
        "errors of other samples",
        {"one step everywhere": costs[0], "other steps in the other samples": costs[1]},
        code(subject, *given),
        None,
        "Mean over each sample first, then multiply by its weight: loss.flatten(1).mean(1) * weight[t].",
    )


class _Field(nn.Module):
    """A velocity field of one value everywhere, which keeps the points that it is called with."""

    def __init__(self, velocity: Tensor) -> None:
        super().__init__()
        self.velocity = velocity
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor, *others: Tensor, **named: Tensor) -> Tensor:
        self.seen.append(x.detach())
        return self.velocity


@kind(r"flow.?matching|rectified.?flow|\bcfm\b")
def along_the_path(subject: Subject) -> Iterator[Found]:
    """Whether the velocity that is learned is the one with which the points of the path move."""
    spec = subject.spec
    models = [extra.name for extra in spec.way.extras if extra.sort == MODEL]
    call = Named(subject)
    times = call.numbers(r"t|times?|tau")
    required = [each.name for each in call_parameters(subject.build()) if each.default is each.empty]
    if not spec.way.inside or len(models) != 1 or len(times) != 1:
        return

    def cost(velocity: Tensor, time: float) -> tuple[float, Tensor] | None:
        field = _Field(velocity)
        given = {name: call[name] for name in required if name in call.places}
        given[times[0]] = torch.full_like(call[times[0]], time)
        try:
            draws.seed()
            made = loss_of(subject.build()(*({**given, models[0]: field}[name] for name in required)))[0]
        except Exception:  # noqa: BLE001 - it is called in another way
            return None
        return (float(made.detach().mean()), field.seen[0]) if field.seen else None

    start = cost(torch.zeros(1), 0.25)
    later = cost(torch.zeros(1), 0.75)
    if start is None or later is None or start[1].shape != later[1].shape:
        return
    speed = (later[1] - start[1]) / 0.5
    along, against = cost(speed, 0.5), cost(-speed, 0.5)
    if along is not None and against is not None and against[0] < 1e-8 < 1e-4 < along[0]:
        yield Found(
            "the velocity that is learned points against the path: the loss is 0 where the points would move backwards",
            {"along the path": along[0], "against it": against[0]},
            "",
            None,
            "x_t = (1 - t) * x0 + t * x1 moves with x1 - x0.",
        )
