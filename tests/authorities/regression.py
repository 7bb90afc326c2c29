"""Losses of real numbers."""

from __future__ import annotations

from mpmath import cosh, log, sqrt

from inputs import counts, pair_with_variance, rates, row
from references import Authority, Formula, Peer

AUTHORITIES: dict[str, list[Authority]] = {
    "mse_loss": [Peer("torch.nn.functional.mse_loss")],
    "l1_loss": [Peer("torch.nn.functional.l1_loss")],
    "smooth_l1_loss": [Peer("torch.nn.functional.smooth_l1_loss", [{}, {"beta": 0.3}, {"beta": 0.0}])],
    "huber_loss": [Peer("torch.nn.functional.huber_loss", [{}, {"delta": 0.3}])],
    "log_cosh_loss": [Formula(lambda x, y, o: log(cosh(x - y)))],
    "charbonnier_loss": [Formula(lambda x, y, o: sqrt((x - y) ** 2 + o.eps**2))],
    "gaussian_nll_loss": [
        Peer("torch.nn.functional.gaussian_nll_loss", [{}, {"full": True}, {"eps": 0.5}]),
    ],
    "poisson_nll_loss": [
        Peer(
            "torch.nn.functional.poisson_nll_loss",
            [{}, {"full": True}, {"full": True, "eps": 0.1}],
            always={"log_input": False},
            kinds=("rates",),
        ),
        Peer("torch.nn.functional.poisson_nll_loss", [{}, {"full": True}], kinds=("pair",)),
    ],
}

INPUTS = {
    "gaussian_nll_loss": [row("pair", pair_with_variance, options={"eps": 1e-6}, along=0, differentiable=(0, 1, 2))],
    "poisson_nll_loss": [
        row("pair", counts, options={"log_input": True}, along=0),
        row("rates", rates, options={"log_input": False}, along=0),
    ],
}
