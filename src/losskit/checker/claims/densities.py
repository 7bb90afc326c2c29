"""Probabilistic losses: likelihoods, evidential regression, mixtures, counts, CRPS and divergences."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, drawn, near, tensor
from losskit.checker.finding import Found

MEAN = Role("mean", r"mu|mean|means?|pred\w*|inputs?|y_?hat|loc|y_?pred|m|pred_mean|mu_pred|output")
TARGET = Role("target", r"y|y_?true|targets?|x|obs\w*|labels?|truth|gt|value")
SPREAD = Role(
    "spread", r"\w*var(iance)?|\w*sigma2?|\w*std(dev)?|\w*scale|\w*log_?b|s|b|raw_\w+|rho|\w*logvar|\w*log_?var\w*"
)
_SHAPES: tuple[tuple[int, ...], ...] = ((4,), (4, 1), (2, 2))


def _shape(claimed: Claimed, *roles: str) -> tuple[int, ...] | None:
    for shape in _SHAPES:
        if math.isfinite(claimed.total(**{role: drawn(*shape, seed=n).abs() + 1.2 for n, role in enumerate(roles)})):
            return shape
    return None


# Location and scale.


def _settles(claimed: Claimed, error: float, shape: tuple[int, ...]) -> list[float]:
    """The spreads at which the slope changes from negative to positive, for an error of this size everywhere."""
    name = claimed.bound["spread"].lower()
    signed = "log" in name or "raw" in name or name in ("s", "rho")
    grid = torch.linspace(-6 if signed else 0.02, 6, 1205, dtype=torch.float64)
    truth = torch.zeros(shape, dtype=torch.float64)
    slopes = []
    for each in grid:
        given = {"mean": truth + error, "target": truth, "spread": torch.full(shape, float(each)).double()}
        slopes.append(float(claimed.slope("spread", **given).sum()))
    turns = [n for n in range(len(slopes) - 1) if slopes[n] < 0 <= slopes[n + 1]]
    return [float(grid[n] + (grid[1] - grid[0]) * slopes[n] / (slopes[n] - slopes[n + 1])) for n in turns]


def _readings(claimed: Claimed, spread: float) -> list[float]:
    """What a number may mean as a standard deviation: itself, a variance, and their logarithms and softplus."""
    name, code = claimed.bound["spread"].lower(), claimed.text.code
    found = [spread, math.sqrt(spread)] if spread > 0 else []
    if "softplus" in code or "raw" in name or name == "rho" or not code:
        positive = math.log1p(math.exp(spread))
        found += [positive, math.sqrt(positive)]
    if "exp" in code or "log" in name or not code:
        found += [math.exp(spread), math.exp(spread / 2)]
    return found


def spread_settles(claimed: Claimed) -> Iterator[Found]:
    """The best spread for errors of one size is that size, as a standard deviation or as a variance."""
    shape = _shape(claimed, "mean", "target", "spread")
    if shape is None or not claimed.has("spread", "mean", "target"):
        return
    laplace = claimed.text.claims(r"laplac|\bl1\b|absolute")
    factors = (1.0, math.sqrt(2.0)) if laplace else (1.0,)
    truth = torch.zeros(shape, dtype=torch.float64)
    for error in (1.0, 2.0):
        found = _settles(claimed, error, shape)
        if len(found) != 1 or abs(found[0]) > 5.5:
            if error == 1.0 and not found and _runs_away(claimed, shape):
                given = {"mean": truth + 1, "target": truth, "spread": torch.full(shape, 2.0).double()}
                yield claimed.found(
                    "no spread is best for an error of 1: the loss falls without end in one direction",
                    {"slope of the spread at 2": float(claimed.slope("spread", **given).sum())},
                    "(y - mu) ** 2 / (2 * var) + log(var) / 2",
                    given,
                    "spread",
                )
            return
        read = _readings(claimed, found[0])
        if not any(near(each, factor * error, 0.03) for each in read for factor in factors):
            given = {"mean": truth + error, "target": truth, "spread": torch.full(shape, found[0]).double()}
            yield claimed.found(
                f"for errors of {error:g} the best {claimed.bound['spread']} is {found[0]:.4g}: neither their standard "
                "deviation nor their variance, nor its logarithm",
                {"best": found[0], "standard deviation": error, "variance": error**2},
                "(y - mu) ** 2 / (2 * sigma ** 2) + log(sigma), with sigma ** 2 = var = exp(log_var).",
                given,
                "spread",
            )
            return


def _runs_away(claimed: Claimed, shape: tuple[int, ...]) -> bool:
    """Whether the slope of the spread has one sign everywhere."""
    truth = torch.zeros(shape, dtype=torch.float64)
    signs = set()
    for each in (0.05, 0.3, 1.0, 3.0, 6.0):
        given = {"mean": truth + 1, "target": truth, "spread": torch.full(shape, each).double()}
        slope = float(claimed.slope("spread", **given).sum())
        if not math.isfinite(slope) or slope == 0:
            return False
        signs.add(slope > 0)
    return len(signs) == 1


# Evidential regression.

GAMMA = Role("gamma", r"gamma|mu|mean|m|pred\w*|loc")
NU = Role("nu", r"nu|v|lam\w*|kappa")
ALPHA = Role("alpha", r"alpha|a")
BETA = Role("beta", r"beta|b")


def _student(y: Tensor, gamma: Tensor, nu: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    spread = (beta * (1 + nu) / (nu * alpha)).sqrt()
    student = torch.distributions.StudentT(2 * alpha, gamma, spread)
    return torch.neg(student.log_prob(y))  # type: ignore[no-untyped-call]


def evidential(claimed: Claimed) -> Iterator[Found]:
    """Without an error, it is the negative log-likelihood of a Student t distribution."""
    for shape in ((1,), (1, 1)):
        costs, rights, calls = [], [], []
        for seed in range(6):
            nu, alpha, beta = ((drawn(3, seed=seed).abs() + 0.3)[n].reshape(shape) for n in range(3))
            y = torch.full(shape, 0.5, dtype=torch.float64)
            given = {"target": y, "gamma": y.clone(), "nu": nu, "alpha": alpha + 1, "beta": beta}
            costs.append(claimed.total(**given))
            rights.append(float(_student(y, y, nu, alpha + 1, beta).mean()))
            calls.append(given)
        if not all(map(math.isfinite, costs)):
            continue
        rises = [(a - costs[0], b - rights[0]) for a, b in zip(costs[1:], rights[1:], strict=True)]
        scale = sum(a * b for a, b in rises) / sum(b * b for _, b in rises)
        off = [at for at, (a, b) in enumerate(rises) if abs(a - scale * b) > 0.02 * (abs(scale * b) + 0.05)]
        if off and claimed.text.claims(r"nll|likelihood|evidential regression|inverse gamma"):
            at = off[0] + 1
            yield claimed.found(
                "without an error it is not the negative log-likelihood of the Student t distribution",
                {"value": costs[at], "likelihood": rights[at]},
                "log(pi / nu) / 2 - alpha * log(w) + (alpha + 0.5) * log(nu * e ** 2 + w) + lgamma(alpha) - "
                "lgamma(alpha + 0.5), with w = 2 * beta * (1 + nu).",
                calls[at],
            )
        return


# Mixtures.

SHARES = Role("shares", r"(log_?)?pis?|(mix\w*_?)?weights?|pi_?logits|logits?|\w*alpha|mixture_?logits|log_?pi")
MUS = Role("means", r"mus?|means?|locs?")
SIGMAS = Role("sigmas", r"(log_?)?sigmas?|(log_?)?stds?|(log_?)?scales?|log_?vars?|vars?")


def mixture(claimed: Claimed) -> Iterator[Found]:
    """Equal components are one, whatever their shares; and a value far from all of them has a finite loss."""
    n, k = 4, 3
    logs = "log" in claimed.bound.get("sigmas", "")
    spread = torch.zeros(n, k).double() if logs else torch.ones(n, k).double()
    log_shares = drawn(n, k).log_softmax(1)
    said = claimed.bound.get("shares", "")
    for shares in [log_shares] if "log" in said else [log_shares.exp(), log_shares]:
        for target in (drawn(n, seed=1), drawn(n, 1, seed=1)):
            for trailing in (False, True):
                means = torch.full((n, k), 0.3, dtype=torch.float64)
                given = {"shares": shares, "means": means, "sigmas": spread, "target": target}
                if trailing:
                    given = {**given, "means": means.unsqueeze(-1), "sigmas": spread.unsqueeze(-1)}
                    if target.dim() == 1:
                        continue
                if math.isfinite(claimed.total(**given)):
                    yield from _mixed(claimed, given)
                    return


def _mixed(claimed: Claimed, given: dict[str, Tensor]) -> Iterator[Found]:
    far = {**given, "target": (given["target"] + 60).float()}
    short = {name: each.float() for name, each in far.items()}
    distance = claimed.value(**short)
    slope = claimed.slope("means", **short)
    if not math.isfinite(distance) or not bool(slope.isfinite().all()):
        yield claimed.found(
            "a value 60 standard deviations away has a loss or gradient that is not finite: the densities underflow",
            {"loss": distance},
            "torch.logsumexp(log_pi + log_prob, dim=-1)",
            short,
            "means",
        )
        return
    other = {**given, "shares": _other_shares(given["shares"])}
    before, after = claimed.value(**given), claimed.value(**other)
    if not near(before, after, 1e-3, 1e-4):
        yield claimed.found(
            "the shares of equal components change the loss: it is not the logarithm of a sum of densities",
            {"value": before, "with other shares": after},
            "torch.logsumexp(log_pi + log_prob, dim=-1), with log_softmax of the logits over the components.",
            given,
        )


def _other_shares(shares: Tensor) -> Tensor:
    """Other shares that add up to 1, or their logarithms."""
    other = drawn(*shares.shape, seed=7).log_softmax(1)
    return other if bool((shares < 0).any()) else other.exp()


# Counts.

RATE = Role("mean", r"mu|mean|pred\w*|inputs?|rate|y_?pred|y_?hat")
DISPERSION = Role("spread", r"theta|disp\w*|r|alpha|phi|inverse_dispersion|px_r")


def counts(claimed: Claimed) -> Iterator[Found]:
    """The best mean is the observed count."""
    shape = _shape(claimed, "target", "mean", "spread") if claimed.has("spread") else _shape(claimed, "target", "mean")
    if shape is None or "log" in claimed.bound["mean"]:
        return
    truth = torch.full(shape, 4.0, dtype=torch.float64)
    for dispersion in (0.7, 3.0):
        spread = {"spread": torch.full(shape, dispersion).double()} if claimed.has("spread") else {}
        around = [claimed.slope("mean", mean=truth * n, target=truth, **spread).sum() for n in (0.7, 1.0, 1.5)]
        slopes = [float(each) for each in around]
        if all(map(math.isfinite, slopes)) and abs(slopes[1]) > 0.02 * max(abs(slopes[0]), abs(slopes[2])):
            yield claimed.found(
                "the slope of the mean is not 0 where the mean is the observed count",
                {"slope at 4": slopes[1], "slope at 2.8": slopes[0], "slope at 6": slopes[2]},
                "lgamma(y + r) - lgamma(r) - lgamma(y + 1) + r * log(r / (r + mu)) + y * log(mu / (r + mu)), negated.",
                {"mean": truth, "target": truth, **spread},
                "mean",
            )
            return


# Continuous ranked probability score.


def crps(claimed: Claimed) -> Iterator[Found]:
    """The score of a Gaussian, in closed form."""
    shape = _shape(claimed, "mean", "target", "spread")
    if shape is None or "log" in claimed.bound["spread"] or "raw" in claimed.bound["spread"]:
        return
    for error, sigma in ((0.0, 1.0), (1.0, 2.0), (3.0, 1.0), (-2.0, 0.5)):
        truth = torch.zeros(shape, dtype=torch.float64)
        given = {"mean": truth + error, "target": truth, "spread": torch.full(shape, sigma).double()}
        variance = {**given, "spread": torch.full(shape, sigma**2).double()}
        z = -error / sigma
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        right = sigma * (z * math.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))
        found = claimed.value(**given)
        if not near(found, right, 0.01) and not near(claimed.value(**variance), right, 0.01):
            yield claimed.found(
                f"the score of an error of {error:g} and a standard deviation of {sigma:g} is not that of a Gaussian",
                {"value": found, "in closed form": right},
                "sigma * (z * (2 * cdf(z) - 1) + 2 * pdf(z) - 1 / sqrt(pi)), with z = (y - mu) / sigma.",
                given,
            )
            return


MEMBERS = Role("members", r"ens\w*|samples?|members?|forecasts?|pred\w*|x|inputs?")


def crps_of_members(claimed: Claimed) -> Iterator[Found]:
    """The error of the members less half of their spread."""
    drawn_ = tensor([0.0, 3.0, 3.0, 6.0])
    error, pairs = float((drawn_ - 1).abs().mean()), float((drawn_.unsqueeze(0) - drawn_.unsqueeze(1)).abs().sum())
    for members, target in (
        (drawn_.repeat(3, 1), torch.ones(3).double()),
        (drawn_.unsqueeze(1).repeat(1, 3), torch.ones(3).double()),
        (drawn_.repeat(3, 1), torch.ones(3, 1).double()),
    ):
        found = claimed.total(members=members, target=target)
        if not math.isfinite(found):
            continue
        rights = [error - pairs / 2 / 16, error - pairs / 2 / 12]
        wrong = [error - pairs / 16, error - pairs / 12, error]
        if any(near(found, each, 1e-3) for each in wrong) and not any(near(found, each, 1e-3) for each in rights):
            yield claimed.found(
                "half of the mean distance between members is subtracted in a CRPS, here "
                + ("none of it" if near(found, error, 1e-3) else "all of it"),
                {"value": found, "with half": rights[0]},
                "(x - y).abs().mean() - (x[:, None] - x[None]).abs().mean() / 2",
                {"members": members, "target": target},
            )
        return


CLAIMS = (
    Claim(
        "evidential regression",
        r"evidential|\bnig\b|normal inverse gamma",
        (TARGET, GAMMA, NU, ALPHA, BETA),
        (evidential,),
    ),
    Claim("mixture density", r"mixture|\bmdn\b", (SHARES, MUS, SIGMAS, TARGET), (mixture,)),
    Claim(
        "negative binomial likelihood",
        r"negative binomial|\bnb ?(nll|loss)|neg ?binom",
        (RATE, TARGET, DISPERSION),
        (counts,),
        unless="zero.?inflat|zinb",
    ),
    Claim(
        "Gaussian CRPS",
        r"\bcrps|ranked probability",
        (MEAN, TARGET, SPREAD),
        (crps,),
        unless=r"laplac|logistic|ensemble",
    ),
    Claim("CRPS of an ensemble", r"\bcrps|ranked probability|energy score", (MEMBERS, TARGET), (crps_of_members,)),
    Claim(
        "likelihood of a mean and a spread",
        r"gaussian|normal|\bnll\b|hetero|laplac|uncertain|aleatoric",
        (MEAN, TARGET, SPREAD),
        (spread_settles,),
        unless=r"\bkl\b|diverg|crps|evidential|student|mixture|huber|prior|focal|box|cauchy",
    ),
)
