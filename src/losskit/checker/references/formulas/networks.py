"""Losses that are given a network: penalties of its gradient, residuals of differential equations, flows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker.references.reference import Given, Option, Pick, real, reference, share

WIDTH = 4


class Field(nn.Module):
    """A smooth network of one hidden layer: numbers, or vectors as long as its first argument."""

    def __init__(self, as_input: bool = False) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.linspace(0.5, 1.4, WIDTH))
        self.as_input = as_input

    def forward(self, *given: Tensor, **named: Tensor) -> Tensor:
        parts = [*given, *named.values()]
        flat = torch.cat([each.reshape(len(parts[0]), -1).to(self.gain.dtype) for each in parts], 1)
        width = flat.shape[1]
        hidden = torch.tanh(flat @ torch.arange(1.0, width * WIDTH + 1).reshape(width, WIDTH).to(flat).sin())
        if not self.as_input:
            return (hidden * self.gain).sum(1, keepdim=True)
        size = parts[0][0].numel()
        out = (hidden * self.gain) @ torch.arange(1.0, WIDTH * size + 1).reshape(WIDTH, size).to(flat).cos()
        return out.reshape(parts[0].shape)

    def __repr__(self) -> str:
        """An expression that makes a network of the same kind."""
        layers = f"torch.nn.Flatten(), torch.nn.LazyLinear({WIDTH}), torch.nn.Tanh(), torch.nn.LazyLinear(1)"
        return f"torch.nn.Sequential({layers})" if not self.as_input else "(lambda x, *rest: torch.tanh(1.4 * x))"


CRITIC = r"(net_?)?d(_?net)?|critic\w*|disc\w*|net|model|netd|f|func"
REAL = r"(\w*_)?reals?(_\w+)?|x_?r|x|real\w*|gt|target|hr"
FAKE = r"(\w*_)?(fake|gen\w*|synth\w*)(_\w+)?|x_?(f|g|hat|tilde)|fake\w*|sr|pred|y"


def samples(seed: int, *size: int) -> dict[str, Any]:
    return {"critic": Field(), "real": real(seed, *size), "fake": real(seed + 1, *size), "weight": 10.0}


def slope_at(critic: Callable[..., Tensor], x: Tensor) -> Tensor:
    """The gradient of the scores, per sample."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0].flatten(1)


def times_called(g: Given, role: str) -> int:
    """How often the code calls an argument."""
    return len(re.findall(rf"(?<![\w.]){re.escape(g.names.get(role, ''))}\(", g.text.code.lower()))


@reference(
    "the gradient penalty of a Wasserstein critic",
    r"gradient ?penalty|wgan ?gp|\bgp\b.*(loss|penalty)|wgan penalty",
    {"critic": CRITIC, "real": REAL, "fake": FAKE, "weight": r"lambda\w*|lam\w*|(gp_?)?(weight|coef\w*)|gamma|w"},
    lambda s: samples(s, 3, 2, 2, 2),
    lambda s: samples(s, 4, 3),
    optional=("weight",),
    trained=("critic",),
    unless=r"\br1\b|\br2\b|zero ?cent|dragan|lipschitz penalty|consistency",
    every=True,
)
def penalized(g: Given, pick: Pick) -> Any:
    size = (len(g.real), *(1 for _ in g.real.shape[1:]))
    share_ = torch.rand(size, dtype=pick(torch.float64, torch.float32)).double()
    a, b = pick((g.real, g.fake), (g.fake, g.real))
    norm = slope_at(g.critic, share_ * a + (1 - share_) * b).norm(dim=1)
    gap = pick(norm - 1, (norm - 1).clamp(min=0)).square().mean()
    return pick((gap,), (g.critic(g.fake).mean() - g.critic(g.real).mean(), gap))


@reference(
    "the R1 penalty",
    r"\br1\b|zero ?centered gradient",
    {"critic": CRITIC, "real": REAL, "weight": r"lambda\w*|lam\w*|gamma|(r1_?)?(weight|coef\w*)"},
    lambda s: samples(s, 3, 2, 2, 2),
    lambda s: samples(s, 4, 3),
    optional=("weight",),
    trained=("critic",),
    unless=r"\br2\b|wgan|interpol|rouge",
)
def squared_slope(g: Given, pick: Pick) -> Any:
    return slope_at(g.critic, g.real).square().sum(1).mean()


WEIGHTS = r"\w*weights?|ws?|lambdas?"  # lists of the weights of terms
NET = r"net|model|pinn|u_?net|network|func|u|f_?theta|nn"
AT = {"x": r"x|xs?_?(f|c|col\w*|pde|r|int\w*|in|eqn?)|x_?coords?", "t": r"t|ts?_?(f|c|col\w*|pde|r|int\w*|in|eqn?)"}
DATA = {
    "dx": r"x_?(0|u|b|d|bc|ic|data|obs|init\w*|bound\w*)",
    "dt": r"t_?(0|u|b|d|bc|ic|data|obs|init\w*|bound\w*)",
    "du": r"u_?(0|u|b|d|bc|ic|data|obs|init\w*|bound\w*)?|y_?\w*|target\w*|u_true|(data|bc|ic|boundary)_?values?",
}
POINTS = r"xt|tx|xy|x|coords?|coll\w*|points?|pts|interior\w*|inputs?|x_?(f|c|col\w*|pde|r|int\w*)|xy_?(f|pde|int\w*)|g"
BOUNDARY = {
    "dp": r"(xy?t?|tx|coords?|points?|pts|data|bc|ic|boundary)_?(b|ic|data|points?|coords?|u|d|pts|x)\w*",
    "du": DATA["du"],
}


def along(seed: int) -> dict[str, Any]:
    made = {"net": Field(), "x": real(seed, 5, 1), "t": share(seed + 1, 5, 1)}
    return {**made, "dx": real(seed + 2, 4, 1), "dt": share(seed + 3, 4, 1), "du": real(seed + 4, 4, 1)}


def at_points(seed: int) -> dict[str, Any]:
    made = {"net": Field(), "p": real(seed, 5, 2), "source": real(seed + 1, 5, 1), "dp": real(seed + 2, 4, 2)}
    return {**made, "du": real(seed + 3, 4, 1)}


def flat_source(seed: int) -> dict[str, Any]:
    return {**at_points(seed), "source": real(seed + 1, 5)}


class Derivatives:
    """A field at points of two coordinates, and its derivatives by each."""

    def __init__(self, g: Given, pick: Pick) -> None:
        self.order = pick((0, 1), (1, 0))
        self.net = g.net
        columns = [g.x, g.t] if g.has("x") else None
        p = torch.cat([columns[n] for n in self.order], 1) if columns else g.p
        self.points = p.detach().requires_grad_()
        self.u = self.net(self.points)
        self.first = torch.autograd.grad(self.u.sum(), self.points, create_graph=True)[0]

    def by(self, axis: int) -> Tensor:
        return self.first[:, self.order[axis], None]

    def twice(self, axis: int) -> Tensor:
        n = self.order[axis]
        return torch.autograd.grad(self.first[:, n].sum(), self.points, create_graph=True)[0][:, n, None]

    def misfit(self, g: Given) -> tuple[Tensor, ...]:
        """The squared error at the data; nothing without data; not a number if the code has further conditions."""
        if not g.has("du"):
            extra = g.has("dx") or g.has("dp") or times_called(g, "net") > 1
            return (self.u.sum() * torch.nan,) if extra else ()
        if g.has("dp"):
            return ((self.net(g.dp) - g.du).square().mean(),)
        times = g.dt if g.has("dt") else torch.zeros_like(g.dx)
        columns = [g.dx, times]
        return ((self.net(torch.cat([columns[n] for n in self.order], 1)) - g.du).square().mean(),)


Residual = Callable[[Derivatives, Given, Pick], Any]


def equation(said: str, named: str, *options: Option, unless: str = "$^") -> Callable[[Residual], Residual]:
    """Register the squared residual of an equation in x and t, with the error at the data."""

    def enter(residual: Residual) -> Residual:
        def formula(g: Given, pick: Pick) -> Any:
            at = Derivatives(g, pick)
            return (residual(at, g, pick).square().mean(), *at.misfit(g))

        shared: Mapping[str, Any] = {
            "options": options,
            "trained": ("net",),
            "unless": rf"causal|adaptive|{unless}",
            "lists": WEIGHTS,
        }
        reference(said, named, {"net": NET, **AT, **DATA}, along, optional=("dx", "dt", "du"), **shared)(formula)
        roles = {"net": NET, "p": POINTS, **BOUNDARY}
        reference(said, named, roles, at_points, optional=("dp", "du"), **shared)(formula)
        return residual

    return enter


def number(name: str, names: str, value: float, *usual: float) -> Option:
    return Option(name, names, value, usual, literal=True)


@equation(
    "the residual of Burgers' equation",
    r"burgers",
    number("nu", r"nu|visc\w*|mu|lambda_?2", 0.3, 0.01 / 3.141592653589793),
)
def burgers(at: Derivatives, g: Given, pick: Pick) -> Any:
    return at.by(1) + at.u * at.by(0) - g.nu * at.twice(0)


@equation(
    "the residual of the heat equation",
    r"\bheat\b|diffusion equation",
    number("nu", r"nu|alpha|kappa|d|k|c|diff\w*", 0.3, 1.0),
)
def heat(at: Derivatives, g: Given, pick: Pick) -> Any:
    return at.by(1) - g.nu * at.twice(0)


@equation(
    "the residual of the wave equation", r"\bwave (eq|loss|resid|pinn)\w*", number("c", r"c|speed|velocity", 1.6, 1.0)
)
def wave(at: Derivatives, g: Given, pick: Pick) -> Any:
    return at.twice(1) - pick(g.c**2, g.c) * at.twice(0)


@equation(
    "the residual of the advection equation",
    r"\badvect\w*|transport equation",
    number("c", r"c|speed|velocity|beta|a", 1.6, 1.0),
    unless=r"diffus",
)
def advection(at: Derivatives, g: Given, pick: Pick) -> Any:
    return at.by(1) + g.c * at.by(0)


def elliptic(said: str, named: str, *options: Option) -> Callable[[Residual], Residual]:
    """Register the squared residual of an equation with a source, with the error at the boundary."""

    def enter(residual: Residual) -> Residual:
        def formula(g: Given, pick: Pick) -> Any:
            at = Derivatives(g, pick)
            return (residual(at, g, pick).square().mean(), *at.misfit(g))

        reference(
            said,
            named,
            {"net": NET, "p": POINTS, "source": r"source\w*|f|forc\w*|rhs|q|s|f_?val\w*", **BOUNDARY},
            at_points,
            flat_source,
            options=options,
            optional=("dp", "du"),
            trained=("net",),
            lists=WEIGHTS,
        )(formula)
        return residual

    return enter


@elliptic("the residual of the Helmholtz equation", r"helmholtz", number("k", r"k|wave_?num\w*|omega|kappa", 1.6, 1.0))
def helmholtz(at: Derivatives, g: Given, pick: Pick) -> Any:
    return at.twice(0) + at.twice(1) + g.k**2 * at.u - g.source.reshape(-1, 1)


@elliptic(
    "the residual of Poisson's equation", r"poisson (pinn|eq|resid|pde|2d)\w*|\bpoisson\b.*\b(pinn|laplac\w*|u_?xx)"
)
def poisson(at: Derivatives, g: Given, pick: Pick) -> Any:
    return pick(1, -1) * (at.twice(0) + at.twice(1)) - g.source.reshape(-1, 1)


@reference(
    "the error of values and derivatives",
    r"sobolev|derivative (match|fit)\w*|gradient match\w* of a (net|model)",
    {
        "net": NET,
        "x": r"x|points?|coords?|inputs?",
        "y": r"y|u|target\w*|values?",
        "slope": r"(d|grad)_?\w+|\w+_grad|f|f_\w+|forces?\w*",
    },
    lambda s: {"net": Field(), "x": real(s, 5, 2), "y": real(s + 1, 5, 1), "slope": real(s + 2, 5, 2)},
    trained=("net",),
)
def sobolev(g: Given, pick: Pick) -> Any:
    sign = -1 if g.called("slope", r"^f(orce|_|$)") else 1  # a force is the negative gradient of the energy
    return (g.net(g.x) - g.y).square().mean(), (sign * slope_at(g.net, g.x) - g.slope).square().mean()


@reference(
    "the flow matching loss",
    r"flow ?matching|rectified ?flow|\bcfm\b|stochastic interpolant",
    {
        "net": NET + r"|v_?(theta|net|model)?|velocity\w*",
        "x1": r"x_?1|data|target|x|x_?(data|real|clean|start)|images?|latents?",
        "x0": r"x_?0|noise|source|eps\w*|z|x_?noise",
        "t": r"t|time\w*|sigmas?",
    },
    lambda s: {"net": Field(True), "x1": real(s, 4, 3), "x0": real(s + 1, 4, 3), "t": share(s + 2, 4)},
    lambda s: {"net": Field(True), "x1": real(s, 4, 2, 2, 2), "x0": real(s + 1, 4, 2, 2, 2), "t": share(s + 2, 4)},
    lambda s: {"net": Field(True), "x1": real(s, 4, 3), "x0": real(s + 1, 4, 3), "t": share(s + 2, 4, 1)},
    trained=("net",),
    options=[Option("rest", r"sigma(_?min)?|s_?min", 0.2, (0.0,), True)],
    unless=r"ot cond|mini ?batch|weight|logit|mean ?flow|shortcut",
)
def flow_matching(g: Given, pick: Pick) -> Any:
    t = g.t.reshape(-1, *(1 for _ in g.x1.shape[1:]))
    first, last = pick((g.x0, g.x1), (g.x1, g.x0))
    kept = 1 - g.rest if pick(True, False) else 1.0  # the path of Lipman et al. leaves some noise at the end
    x = (1 - kept * t) * first + t * last
    x = x + g.rest * torch.randn(x.shape, dtype=x.dtype) if kept == 1.0 else x
    return (g.net(x, g.t.reshape(-1)) - (last - kept * first)).square().mean()
