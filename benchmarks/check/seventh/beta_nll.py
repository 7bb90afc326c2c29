import math

import torch.nn.functional as F


def beta_nll_loss(mean, raw_var, target, beta=0.5):
    """beta-NLL for heteroscedastic regression (Seitzer et al., ICLR 2022).

    The Gaussian NLL of every point is weighted by the (detached) variance to
    the power of beta; beta=0 is the ordinary NLL, beta=1 has the MSE's
    gradient for the mean.

    mean, raw_var, target: (N, D); the variance is softplus(raw_var)
    """
    var = F.softplus(raw_var) + 1e-6
    nll = 0.5 * ((target - mean) ** 2 / var + var.log() + math.log(2 * math.pi))
    if beta > 0:
        nll = nll * var.detach() ** beta
    return nll.sum(dim=-1).mean()
