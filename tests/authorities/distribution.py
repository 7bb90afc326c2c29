"""Losses of distributions."""

from __future__ import annotations

from inputs import distributions, log_distributions, row
from references import Authority, Peer

AUTHORITIES: dict[str, list[Authority]] = {
    "kl_div": [
        Peer("torch.nn.functional.kl_div", kinds=("pair",), reductions=("mean", "sum", "none", "batchmean")),
        Peer("torch.nn.functional.kl_div", [{"log_target": True}], kinds=("logs",)),
    ],
}

INPUTS = {
    "kl_div": [
        row("pair", distributions, options={"log_target": False}, along=0),
        row("logs", log_distributions, options={"log_target": True}, along=0),
    ],
}
