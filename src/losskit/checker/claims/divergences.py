"""Divergences of Gaussians: from the standard one, as in a variational autoencoder, and from each other."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, drawn, near
from losskit.checker.finding import Found

# From a prior.

MU = Role("mu", r"mu|mean|z_?mu|z_?mean|means|mu_?q|m")
LOG_VAR = Role("log_var", r"log_?var\w*|z_?log_?var|logvariance|log_?sigma_?(2|sq\w*)|lv")
RECON = Role(
    "recon", r"recon\w*|x_?hat|x_?recon\w*|pred\w*|y_?hat|outputs?|decoded|rec|x_?rec\w*|recon_?x|logits|x_?logits"
)
DATA = Role("data", r"x|targets?|y|inputs?|data|images?|original|x_?true")


def prior(claimed: Claimed) -> Iterator[Found]:
    """The divergence of a Gaussian from the standard one: its two parts have a fixed ratio, and it sums dimensions."""
    rest = _rest(claimed)
    if rest is None:
        return

    def divergence(mu: float, log_var: float, width: int = 3) -> float:
        none = torch.zeros(2, width, dtype=torch.float64)
        base = claimed.value(mu=none, log_var=none, **rest)
        return claimed.value(mu=none + mu, log_var=none + log_var, **rest) - base

    shifted, wider, narrower = divergence(1.5, 0.0), divergence(0.0, 1.0), divergence(0.0, -1.0)
    rights = 1.5**2 / 2, (math.e - 2) / 2, math.exp(-1) / 2
    given = {"mu": torch.zeros(2, 3) + 1.5, "log_var": torch.zeros(2, 3), **rest}
    if not all(map(math.isfinite, (shifted, wider, narrower))) or _unusual(claimed):
        return
    if shifted <= 0:
        yield claimed.found(
            "a mean away from 0 lowers the loss: the divergence is subtracted",
            {"by": shifted},
            "-0.5 * (1 + log_var - mu ** 2 - log_var.exp()).sum(1)",
            given,
        )
    elif not near(wider / shifted, rights[1] / rights[0], 0.02) or not near(
        narrower / shifted, rights[2] / rights[0], 0.02
    ):
        yield claimed.found(
            "it is not the divergence of a Gaussian from the standard one: its parts have another ratio",
            {"log_var 1 for mu 1.5": wider / shifted, "expected": rights[1] / rights[0]},
            "-0.5 * (1 + log_var - mu ** 2 - log_var.exp()).sum(1)",
            given,
        )
    elif claimed.text.says(_SUMMED) and near(divergence(1.5, 0.0, 6) / shifted, 1.0, 1e-3):
        yield claimed.found(
            "the divergence is documented as a sum over latent dimensions, but twice the dimensions do not raise it",
            {"6 dimensions": divergence(1.5, 0.0, 6), "3 dimensions": shifted},
            "Sum over the latent dimensions, and take the mean over the batch: .sum(1).mean().",
            given,
        )


_NATS = r"elbo|evidence|lower bound|\bnats\b|variational bound"
_WEIGHTS = ("beta", "kl_weight", "kld_weight", "kl_coef", "kl_scale", "kl_beta", "weight", "lambda_kl", "kl_lambda")


def of_one_size(claimed: Claimed) -> Iterator[Found]:
    """The reconstruction and the divergence are both summed over the elements of a sample, or both averaged."""
    weight = claimed.option(*_WEIGHTS)
    if not claimed.has("mu", "log_var", "recon", "data") or weight not in (None, 1):
        return
    documented = claimed.text.claims(_NATS)  # else only a divergence of one dimension beside a sum is a fault
    none = torch.zeros(2, 3, dtype=torch.float64)

    def reconstruction(size: tuple[int, ...]) -> float:
        given = {"recon": torch.full(size, 0.5).double(), "data": torch.full(size, 0.9).double()}
        return claimed.total(mu=none, log_var=none, **given)

    for size in ((2, 4), (2, 1, 4, 4), (2, 3, 4, 4)):
        few, many = reconstruction(size), reconstruction((*size[:-1], 2 * size[-1]))
        if not (math.isfinite(few) and math.isfinite(many)) or few <= 0:
            continue
        half = {each: torch.full(size, 0.5).double() for each in ("recon", "data")}
        narrow, wide = (
            claimed.value(mu=torch.full((2, n), 1.5).double(), log_var=torch.zeros(2, n).double(), **half)
            - claimed.value(mu=torch.zeros(2, n).double(), log_var=torch.zeros(2, n).double(), **half)
            for n in (3, 6)
        )
        summed = near(many / few, 2, 0.02), near(wide / narrow, 2, 0.02) if narrow > 0 else True
        if summed[0] != summed[1] and (documented or summed[0]) and not _unusual(claimed):
            terms = ("the reconstruction", "the divergence")
            yield claimed.found(
                f"{terms[summed[1]]} is summed over the elements of a sample and {terms[summed[0]]} is averaged, so "
                "their sum is no lower bound and one of them weighs far too much"
                if summed[0]
                else "the reconstruction is averaged over the elements of a sample and the divergence is summed over "
                "the latent dimensions, so their sum is no lower bound and the divergence weighs far too much",
                {"reconstruction, twice the elements": many / few, "divergence, twice the dimensions": wide / narrow},
                "recon.flatten(1).sum(1).mean() + kl.sum(1).mean()",
                {"mu": none, "log_var": none, **half},
            )
        return


_SUMMED = (
    r"(sum\w*|Σ)[^.;]{0,90}(latent|dimension|own dim)|both (terms|parts) are (per-sample )?sum|kl[^.;]{0,40}summed"
)


def _unusual(claimed: Claimed) -> bool:
    """Whether it is documented to change the divergence: free bits, capacities, annealing."""
    return claimed.text.claims(r"free.?bits|capacity|\bmmd\b|tc-?vae|anneal|clamp|two gaussians|mixture")


def _rest(claimed: Claimed) -> dict[str, Tensor] | None:
    """A reconstruction and its data that it accepts beside a mean and a log-variance; none if it takes none."""
    none = {"mu": torch.zeros(2, 3).double(), "log_var": torch.zeros(2, 3).double()}
    if not claimed.has("mu", "log_var"):
        return None
    for size in ((2, 4), (2, 1, 4, 4), (2, 3, 4, 4)) if claimed.has("recon") else ((),):
        half = {each: torch.full(size, 0.5).double() for each in ("recon", "data")} if size else {}
        if math.isfinite(claimed.total(**none, **half)):
            return half
    return None


# Of each other.

MU_1 = Role("mu_1", r"(mu|mean|m)_?(q|1|post\w*|a)|(q|post\w*)_(mu|mean)")
MU_2 = Role("mu_2", r"(mu|mean|m)_?(p|2|prior|b)|(p|prior)_(mu|mean)")
LOG_VAR_1 = Role("log_var_1", r"(log_?var|lv)_?(q|1|post\w*|a)|(q|post\w*)_(log_?var|lv)")
LOG_VAR_2 = Role("log_var_2", r"(log_?var|lv)_?(p|2|prior|b)|(p|prior)_(log_?var|lv)")


def _divergence(given: dict[str, Tensor], straight: bool) -> float:
    one, two = ("1", "2") if straight else ("2", "1")
    spread, other = given[f"log_var_{one}"], given[f"log_var_{two}"]
    square = (given["mu_1"] - given["mu_2"]) ** 2
    return float((other - spread + (spread.exp() + square) / other.exp() - 1).sum() / 2)


def between_gaussians(claimed: Claimed) -> Iterator[Found]:
    """The divergence in closed form, in one of both directions: the documented one, if there is one."""
    if not claimed.has("mu_1", "mu_2", "log_var_1", "log_var_2") or claimed.text.claims(r"symmetr|jeffreys|\bjs"):
        return
    calls = [
        {f"{name}_{n}": 0.6 * drawn(3, 2, seed=4 * seed + at) for at, (name, n) in enumerate(_PARTS)}
        for seed in range(5)
    ]
    costs = [claimed.value(**each) for each in calls]
    if not all(map(math.isfinite, costs)):
        return
    fits = []
    for straight in (True, False):
        rights = [_divergence(each, straight) for each in calls]
        scale = costs[0] / rights[0]
        fits.append(scale > 0 and all(near(a, scale * b, 0.01) for a, b in zip(costs, rights, strict=True)))
    documented = claimed.text.claims(r"kl ?\( ?(n\w*1|q|p1|posterior)\b[^)]{0,25}(\|\||\|).{0,12}(2|p|prior)")
    if not any(fits) or (documented and fits == [False, True]):
        what = "it is the divergence in the other direction than documented" if any(fits) else "it is another formula"
        yield claimed.found(
            what,
            {"value": costs[0], "by definition (sum)": _divergence(calls[0], True)},
            "0.5 * (lv_p - lv_q + (lv_q.exp() + (mu_q - mu_p) ** 2) / lv_p.exp() - 1).sum(1)",
            calls[0],
        )


_PARTS = (("mu", "1"), ("mu", "2"), ("log_var", "1"), ("log_var", "2"))
CLAIMS = (
    Claim(
        "divergence from a standard Gaussian",
        r"\bkl\b|\bkld\b|vae|elbo|diverg",
        (RECON, DATA, MU, LOG_VAR),
        (prior, of_one_size),
    ),
    Claim(
        "divergence of two Gaussians",
        r"\bkl\b|\bkld\b|diverg|prior|posterior",
        (MU_1, MU_2, LOG_VAR_1, LOG_VAR_2),
        (between_gaussians,),
    ),
)
