"""Score functions, velocities and paths: of a given network, or as it predicted them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from losskit.checker.references.formulas.diffusion import PREDICTED
from losskit.checker.references.formulas.networks import NET, Field
from losskit.checker.references.formulas.others import scheduled
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, zeros_and_ones

SCORE = NET + r"|scores?|score_?(net|model|fn|func\w*)|s_theta|energy\w*|(energy|ebm)_?(net|model|fn|func\w*)?|e|critic"


def is_energy(g: Given) -> bool:
    return g.called("net", r"^e$|energy|ebm") or g.text.claims(r"energy.based|\bebm\b|energy dsm")


def perturbed(seed: int, net: Field, *levels: int) -> dict[str, Any]:
    sigma = 0.3 + share(seed + 2, *levels) if levels else 0.4
    return {"net": net, "x": real(seed, 4, 3), "noise": real(seed + 1, 4, 3), "sigma": sigma}


@reference(
    "the denoising score matching of a network",
    r"\bdsm\b|denoising score",
    {
        "net": SCORE,
        "x": r"x_?0?|data|samples?|clean|inputs?|images?|batch",
        "noise": r"noise|eps\w*|z|epsilon",
        "sigma": r"sigmas?|std|noise_?(level|std|scale)|used_sigmas",
    },
    lambda s: perturbed(s, Field()),
    lambda s: perturbed(s, Field(True)),
    lambda s: perturbed(s, Field(True), 4),
    lambda s: perturbed(s, Field(True), 4, 1),
    options=[Option("level", r"sigmas?|std|noise_?(level|std|scale)", 0.4, (0.1, 0.01, 0.5, 1.0), True)],
    optional=("noise", "sigma"),
    trained=("net",),
    unless=r"sliced|implicit|hyvarinen|anneal|predict",
)
def matched_score(g: Given, pick: Pick) -> Any:
    sigma = g.sigma if g.has("sigma") else g.level
    sigma = sigma.reshape(-1, 1) if isinstance(sigma, Tensor) else torch.tensor(sigma)
    noise = g.noise if g.has("noise") else torch.randn(g.x.shape, dtype=g.x.dtype)
    x = (g.x + sigma * noise).detach().requires_grad_()
    given = pick((), (g.sigma,)) if g.has("sigma") and isinstance(g.sigma, Tensor) else ()
    made = g.net(x, *given)
    score = -torch.autograd.grad(made.sum(), x, create_graph=True)[0] if is_energy(g) else made
    each = (score + noise / sigma).square().sum(1) * (pick(1.0, sigma.square().flatten()) if sigma.dim() else 1.0)
    return each.mean()


@reference(
    "the sliced score matching of a network",
    r"sliced|\bssm\b",
    {"net": SCORE, "x": r"x|data|samples?|inputs?|batch", "v": r"v|vs?|vectors?|proj\w*|directions?|noise|eps\w*"},
    lambda s: {"net": Field(True), "x": real(s, 4, 3), "v": real(s + 1, 4, 3)},
    lambda s: {"net": Field(), "x": real(s, 4, 3), "v": real(s + 1, 4, 3)},
    optional=("v",),
    trained=("net",),
    unless=r"wasserstein|time|anneal|noise level",
)
def sliced_score(g: Given, pick: Pick) -> Any:
    x = g.x.detach().requires_grad_()
    v = g.v if g.has("v") else torch.randn(x.shape, dtype=x.dtype)
    made = g.net(x)
    score = -torch.autograd.grad(made.sum(), x, create_graph=True)[0] if is_energy(g) else made
    slope = torch.autograd.grad((score * v).sum(), x, create_graph=True)[0]
    length = pick(score.square().sum(1), (score * v).sum(1).square())
    return ((slope * v).sum(1) + length / 2).mean()


@reference(
    "the implicit score matching of a network",
    r"implicit score|hyv[aä]rinen|\bism\b|exact score match|trace of the jacobian",
    {"net": SCORE, "x": r"x|data|samples?|inputs?|batch"},
    lambda s: {"net": Field(True), "x": real(s, 4, 3)},
    lambda s: {"net": Field(), "x": real(s, 4, 3)},
    trained=("net",),
    unless=r"sliced|denois|hutchinson",
)
def implicit_score(g: Given, pick: Pick) -> Any:
    x = g.x.detach().requires_grad_()
    made = g.net(x)
    score = -torch.autograd.grad(made.sum(), x, create_graph=True)[0] if is_energy(g) else made
    trace = [torch.autograd.grad(score[:, n].sum(), x, create_graph=True)[0][:, n] for n in range(x.shape[1])]
    return (torch.stack(trace).sum(0) + score.square().sum(1) / 2).mean()


def velocities(seed: int, *size: int) -> dict[str, Any]:
    return {role: real(seed + n, 3, *size) for n, role in enumerate(("v", "x1", "x0"))}


def frames(seed: int) -> dict[str, Any]:
    mask = zeros_and_ones(seed + 7, 3, 5).bool()
    mask[:, 1], mask[:, 3] = True, False
    return {**velocities(seed, 5, 2), "m": mask}


@reference(
    "the flow matching loss of a predicted velocity",
    r"flow ?matching|rectified ?flow|\bcfm\b|stochastic interpolant|conditional flow|(infill\w* )?flow loss",
    {
        "v": r"v(_?(pred\w*|hat|theta|t|out))?|pred\w*|(model_?)?out\w*|velocity\w*|flow_?pred\w*|model_\w+",
        "x1": r"x_?1|data|targets?|x|x_?(data|real|clean|start)|images?|latents?|mel\w*",
        "x0": r"x_?0|noise|source|eps\w*|z|x_?noise",
        "m": r"\w*mask\w*|context\w*|valid\w*|pad\w*|cond\w*|\w*lens_mask|infill\w*|span\w*",
    },
    lambda s: velocities(s, 4),
    lambda s: velocities(s, 2, 2, 2),
    frames,
    lambda s: {**frames(s), "m": frames(s)["m"].double()},
    optional=("m",),
    trained=("v",),
    by_name=True,
    unless=r"ot cond|mini ?batch|weight|logit|mean ?flow|shortcut|sigma|conditional optimal",
)
def predicted_velocity(g: Given, pick: Pick) -> Any:
    gap = (g.v - pick(1, -1) * (g.x1 - g.x0)).square()
    if not g.has("m"):
        return gap.mean()
    m = g.m.double()
    kept = 1 - m if g.called("m", r"context|pad") else pick(m, 1 - m)
    each = gap.mean(-1) * kept
    return pick(each.sum() / kept.sum(), (each.sum(1) / kept.sum(1)).mean())


@reference(
    "the loss of a denoising step with limited weights",
    r"min ?snr|snr ?weight\w*|weighted by (its|the)( clipped)? (snr|signal)|\bvelocity loss",
    {
        "out": PREDICTED,
        "x0": r"x_?0|x_?start|clean|latents?|x|sample\w*|images?|original\w*",
        "noise": r"noise|eps\w*",
        "t": r"t|time_?steps?|steps?|ts",
    },
    *(
        lambda s, size=size, steps=steps: {
            **{role: real(s + n, *size) for n, role in enumerate(("out", "x0", "noise"))},
            "t": torch.tensor(steps),
        }
        for size in ((4, 3), (4, 2, 2, 2))
        for steps in ((12, 230, 420, 700), (2, 14, 28, 41))
    ),
    trained=("out",),
    options=[Option("gamma", r"gamma|snr_gamma|g|min_snr\w*", 3.0, (5.0,))],
    unless=r"max ?snr|soft",
)
def limited_step(g: Given, pick: Pick) -> Any:
    snr = scheduled(g)[g.t]
    if not g.text.claims(r"snr|signal.to.noise"):
        raise ValueError("no weights")
    if (snr > 10).all():
        raise ValueError("steps at which all weights are alike")
    kept = (snr / (1 + snr)).reshape(-1, *(1 for _ in g.x0.shape[1:]))
    limited = snr.clamp(max=g.gamma)
    velocity = (kept.sqrt() * g.noise - (1 - kept).sqrt() * g.x0, limited / (snr + 1))
    others = ((g.x0, limited), (g.noise, limited / snr))
    aim, weight = velocity if g.text.claims(r"v.?pred|velocity") else pick(velocity, *others)
    return ((g.out - aim).square().flatten(1).mean(1) * weight).mean()


def path(seed: int) -> dict[str, Any]:
    times = torch.tensor([0.0, 0.2, 0.5, 0.9, 1.4], dtype=torch.float64) + 0.05 * share(seed, 5)
    made = {"states": real(seed + 1, 5, 4, 3), "v": real(seed + 2, 5, 4, 3), "y": real(seed + 3, 4, 3)}
    return {"times": times, **made}


def turned(seed: int) -> dict[str, Any]:
    made = path(seed)
    return {**made, "states": made["states"].transpose(0, 1), "v": made["v"].transpose(0, 1)}


@reference(
    "the loss of the end of a path and its kinetic energy",
    r"kinetic|neural ode\b.*(energy|regul\w*)|\brnode\b|trajectory (loss|energy)",
    {
        "times": r"times?|ts?|grid|t_?(span|eval|grid)|time_?(points|steps|grid)",
        "states": r"states?|traj\w*|zs?|xs?|path\w*|z_?t|x_?t|positions?",
        "v": r"v|vs|velocit\w*|f|fs|d[zxy]\w*|derivatives?|speeds?|vector_?field\w*|drift\w*",
        "y": r"y|targets?|x_?1|labels?|goal\w*|end\w*",
    },
    path,
    turned,
    optional=("states", "y"),
    trained=("states", "v"),
    by_name=True,
    unless=r"hamilton|lagrang|potential|jacobian|robot|jerk",
)
def kinetic(g: Given, pick: Pick) -> Any:
    axis = 0 if g.v.shape[0] == 5 else 1
    speed = g.v.square().sum(-1)
    rule = pick("trapezoid", "left", "right")
    steps, first, last = g.times.diff(), speed.narrow(axis, 0, 4), speed.narrow(axis, 1, 4)
    heights = {"trapezoid": (first + last) / 2, "left": first, "right": last}[rule]
    energy = (heights * (steps[:, None] if axis == 0 else steps)).sum(axis).mean()
    if not (g.has("states") and g.has("y")):
        return energy
    return (g.states.select(axis, -1) - g.y).square().mean(), energy
