import math

import torch


def nig_loss(y, gamma, nu, alpha, beta, coeff=0.01):
    """Deep evidential regression (normal inverse gamma)."""
    omega = 2 * beta * (1 + nu)
    error = y - gamma
    nll = (
        0.5 * torch.log(math.pi / nu)
        - alpha * torch.log(omega)
        + (alpha + 0.5) * torch.log(nu * error ** 2 + omega)
        + torch.lgamma(alpha)
        - torch.lgamma(alpha + 0.5)
    )
    reg = error.abs() * (2 * nu + alpha)
    return (nll + coeff * reg).mean()
