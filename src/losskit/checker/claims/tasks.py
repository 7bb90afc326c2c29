"""Weighted tasks, and losses that train a generative model: denoising diffusion and flow matching."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker.calling import loss_of
from losskit.checker.claims.claim import Claim, Claimed, Role, drawn, near
from losskit.checker.finding import Found
from losskit.checker.repro import script

LOSSES = Role("losses", r"\w*loss\w*|\w*task\w*|costs?|l\d?|terms?")


def _weighted(criterion: Any, size: float, count: int) -> Tensor | None:
    """The loss of tasks that all have this loss."""
    return _total(criterion, [torch.tensor(size, dtype=torch.float32) for _ in range(count)])


def _total(criterion: Any, tasks: list[Tensor]) -> Tensor | None:
    """The loss of tasks, however they are passed."""
    for arguments in ((tasks,), tuple(tasks), (torch.stack(tasks),), ({f"task{n}": t for n, t in enumerate(tasks)},)):
        try:
            return loss_of(criterion(*arguments))[0]
        except Exception as error:  # noqa: BLE001 - it is called in another way
            del error
    return None


def learned_weights(claimed: Claimed) -> Iterator[Found]:
    """A learned weight settles: a large loss moves it one way, a small one the other."""
    criterion = claimed.subject.build()
    if not isinstance(criterion, nn.Module) or len(held := list(criterion.named_parameters())) != 1:
        return
    name, weights = held[0]
    count = weights.numel()
    slopes = []
    for size in (100.0, 0.001):
        made = _weighted(criterion, size, count)
        if made is None or not made.requires_grad:
            return
        (found,) = torch.autograd.grad(made.sum(), weights)
        slopes.append(float(found.flatten()[0]))
    if not all(map(math.isfinite, slopes)) or slopes[0] * slopes[1] < 0 or (slopes[0] == 0 and slopes[1] == 0):
        return
    way = "rise" if slopes[0] < 0 else "fall"
    yield Found(
        f"{claimed.claim.said}: {name} {way}s without end, whatever the losses of the tasks are",
        {"slope at a loss of 100": slopes[0], "slope at a loss of 0.001": slopes[1]},
        script(
            f"import torch\n{claimed.subject.origin.imports}",
            claimed.subject.origin.construction(),
            {},
            (
                f"losses = [torch.tensor(0.001)] * {count}",
                "criterion(losses).backward()",
                f"print(criterion.{name}.grad)",
            ),
        ),
        None,
        "torch.exp(-log_var) * loss + log_var, summed over the tasks.",
    )


def reaches_tasks(claimed: Claimed) -> Iterator[Found]:
    """The losses of the tasks get a gradient, not the weights alone."""
    criterion = claimed.subject.build()
    if not isinstance(criterion, nn.Module) or len(held := list(criterion.parameters())) != 1:
        return
    tasks = [torch.tensor(1.0, requires_grad=True) for _ in range(held[0].numel())]
    made = _total(criterion, tasks)
    if made is None or not made.requires_grad or claimed.text.claims("grad ?norm|detach"):
        return
    slopes = torch.autograd.grad(made.sum(), tasks, allow_unused=True)
    if all(each is None or float(each) == 0 for each in slopes):
        names = [f"l{n}" for n in range(len(tasks))]
        yield Found(
            f"{claimed.claim.said}: the losses of the tasks get no gradient, only the weights do",
            {"loss": float(made.detach().sum())},
            script(
                f"import torch\n{claimed.subject.origin.imports}",
                claimed.subject.origin.construction(),
                dict.fromkeys(names, "torch.tensor(1.0, requires_grad=True)"),
                (f"criterion({', '.join(names)}).backward()", "print(l0.grad)"),
            ),
            None,
            "torch.stack(losses), not torch.tensor(losses), which copies their values.",
        )


MODEL = Role("model", r"model|net(work)?|\w*fn|v|u|unet|denoiser|eps_\w+|v(elocity)?_?\w*|score_?\w*|f")
DATA = Role("data", r"x_?0|x_?1|x_?start|x|data|target\w*|y|x_?data|images?")
NOISE = Role("noise", r"noise|eps|epsilon|x_?0|z|x_?noise")
TIME = Role("time", r"t|time\w*|timesteps?")
SCHEDULE = Role("schedule", r"alphas?_?(cum)?prod\w*|alpha_?bars?|a_?bar|abar|alphas_bar|sqrt_\w+")


class Recorder(nn.Module):
    """A model that returns one number everywhere, and records what it is given."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number
        self.given: list[Tensor] = []

    def forward(self, x: Tensor, *others: Any, **named: Any) -> Tensor:
        self.given = [each.detach() for each in (x, *others, *named.values()) if isinstance(each, Tensor)]
        return torch.full_like(x, self.number)


def flow_direction(claimed: Claimed) -> Iterator[Found]:
    """The best constant velocity leads to where the path is at time 1."""
    if not claimed.has("model", "data") or claimed.has("time") or claimed.has("noise"):
        return
    data = 6 + drawn(64, 2)
    models = Recorder(6.0), Recorder(-6.0)
    costs = [claimed.value(model=model, data=data) for model in models]
    if len(models[0].given) < 2 or not all(map(math.isfinite, costs)):
        return
    at, time = models[0].given[0].double(), models[0].given[1].double()
    time = time.flatten(1)[:, 0] if time.dim() > 1 else time
    if time.shape != at.shape[:1] or float(time.std()) == 0:
        return
    late = time > time.median()
    rises = float(at[late].mean() - at[~late].mean()) > 0
    if (costs[0] < costs[1]) != rises and not near(costs[0], costs[1], 0.05):
        yield Found(
            f"{claimed.claim.said}: the path leads from noise to data as time {'rises' if rises else 'falls'}, but the "
            "velocity that the model learns leads back",
            {"velocity towards the data": costs[0], "away from it": costs[1]},
            "",
            None,
            "x_t = (1 - t) * x0 + t * x1 has the velocity x1 - x0.",
        )


def keeps_variance(claimed: Claimed) -> Iterator[Found]:
    """Data and noise enter a noised sample with factors whose squares sum to 1."""
    if not claimed.has("model", "data", "noise"):
        return
    for size in ((8, 3), (8, 3, 4, 4)):
        schedule = torch.linspace(0.9, 0.1, 8, dtype=torch.float64)
        if claimed.has("schedule") and "sqrt" in claimed.bound["schedule"].lower():
            return
        rest: dict[str, Any] = {"time": torch.arange(8), "schedule": schedule}
        shares = []
        for data, noise in ((1.0, 0.0), (0.0, 1.0)):
            model = Recorder(0.0)
            given = {"data": torch.full(size, data).double(), "noise": torch.full(size, noise).double()}
            if not math.isfinite(claimed.total(model=model, **given, **rest)) or not model.given:
                break
            shares.append(model.given[0].double().flatten(1)[:, 0])
        if len(shares) == 2 and shares[0].shape == shares[1].shape:
            total, plain = shares[0] ** 2 + shares[1] ** 2, shares[0] + shares[1]
            if bool((plain - 1).abs().max() < 1e-6) and bool((total - 1).abs().max() > 1e-3):
                if re.search(r"flow|rectif|interpol", claimed.text.title):
                    return
                yield Found(
                    f"{claimed.claim.said}: data and noise are mixed by alpha_bar and 1 - alpha_bar, without roots",
                    {"sum of squares": float(total.min()), "expected": 1.0},
                    "",
                    None,
                    "x_t = alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise",
                )
            return


OUTPUT = Role("output", r"(model_?)?out(put)?s?|pred\w*|eps_?(pred|hat)|noise_?(pred|hat)|v_?(pred|hat)|x|inputs?")
GOAL = Role("goal", r"noise|eps(ilon)?|targets?|y|v|v_?target")
STEP = Role("step", r"t|steps?|timesteps?|ts")


def bounded_weights(claimed: Claimed) -> Iterator[Found]:
    """Weights of min(SNR, gamma) do not exceed 1 (for noise and velocity) or gamma (for data)."""
    bound = max(1.0, float(claimed.option("gamma", "snr_gamma", "min_snr_gamma") or 5.0))
    costs = {}
    for step in (1, 50, 200, 500, 900, 998):
        given = {
            "output": torch.ones(2, 3, 4, 4).double(),
            "goal": torch.zeros(2, 3, 4, 4).double(),
            "step": torch.full((2,), step),
        }
        costs[step] = claimed.total(**given)
        if not math.isfinite(costs[step]):
            return
    most = max(costs, key=lambda step: costs[step])
    if costs[most] > 1.05 * bound and costs[most] > 20 * min(costs.values()) and most > 200:
        given["step"] = torch.full((2,), most)
        yield claimed.found(
            f"the weight at step {most} is {costs[most]:.4g}: the ratio of signal to noise is clamped from below",
            {"weight": costs[most], "bound": bound},
            "snr.clamp(max=gamma) / snr",
            given,
        )


CLAIMS = (
    Claim("min-SNR weights", r"min.?snr", (OUTPUT, GOAL, STEP), (bounded_weights,)),
    Claim(
        "weighted tasks",
        r"uncertaint\w+ (weight|loss)|multi ?-?task|kendall|homoscedastic|automatic weight|task weight",
        (LOSSES,),
        (reaches_tasks, learned_weights),
    ),
    Claim("flow matching", r"flow match|rectified flow|\bcfm\b", (MODEL, DATA, NOISE, TIME), (flow_direction,)),
    Claim("denoising diffusion", r"ddpm|diffusion|denois", (MODEL, DATA, NOISE, TIME, SCHEDULE), (keeps_variance,)),
)
