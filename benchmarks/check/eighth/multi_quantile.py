from typing import Sequence

import torch
import torch.nn as nn


class MultiQuantileLoss(nn.Module):
    """Pinball loss for several quantiles at once.

    For quantile q and error ``e = actual - predicted`` the loss is
    ``max(q * e, (q - 1) * e)``. It is summed over the quantiles and averaged
    over everything else, like in the Temporal Fusion Transformer.

    Args:
        quantiles: levels in (0, 1), one per output of the network.

    Shape:
        - y_hat: (..., Q)
        - y: (...)
    """

    def __init__(self, quantiles: Sequence[float] = (0.1, 0.5, 0.9)):
        super().__init__()
        self.quantiles = tuple(quantiles)

    def forward(self, y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        assert y_hat.shape[:-1] == y.shape, "one prediction per quantile expected"
        losses = []
        for i, q in enumerate(self.quantiles):
            error = y - y_hat[..., i]
            losses.append(torch.maximum(q * error, (q - 1) * error))
        return torch.stack(losses, dim=-1).sum(dim=-1).mean()
