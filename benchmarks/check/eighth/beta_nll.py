import math

import torch
import torch.nn.functional as F


def beta_nll_loss(mean: torch.Tensor, raw_var: torch.Tensor, target: torch.Tensor, beta: float = 0.5,
                  min_var: float = 1e-6) -> torch.Tensor:
    """beta-NLL for heteroscedastic regression (Seitzer et al., 2022).

    Gaussian negative log-likelihood of each point, multiplied by
    ``variance ** beta`` without gradient through that factor. ``beta = 0`` is
    the ordinary likelihood, ``beta = 1`` gives the mean the gradient of the
    squared error.

    Args:
        mean, raw_var: outputs of the network, same shape as the target. The
            variance is ``softplus(raw_var) + min_var``.
        target: observations.

    Returns:
        The average over all points, with the log(2 pi) / 2 constant.
    """
    var = F.softplus(raw_var) + min_var
    nll = 0.5 * (math.log(2 * math.pi) + var.log() + (target - mean) ** 2 / var)
    if beta > 0:
        nll = nll * var.detach() ** beta
    return nll.mean()
