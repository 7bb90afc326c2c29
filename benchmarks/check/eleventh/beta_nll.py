import torch


def beta_nll_loss(mean, log_var, target, beta=0.5):
    """beta-NLL (Seitzer et al. 2022): Gaussian NLL weighted by the stop-gradient of variance^beta.

    mean, log_var, target: same shape; the constant 0.5 * log(2 pi) is left out.
    """
    var = log_var.exp()
    nll = 0.5 * ((target - mean) ** 2 / var + log_var)
    weight = var.detach() ** beta
    return (weight * nll).mean()
