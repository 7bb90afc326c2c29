import torch


def beta_nll_loss(mean, variance, target, beta=0.5):
    """beta-NLL (Seitzer et al. 2022): Gaussian NLL weighted by the
    stop-gradient of variance ** beta. All three tensors have one shape, variance
    has to be positive."""
    variance = variance.clamp(min=1e-6)
    nll = 0.5 * (torch.log(variance) + (target - mean) ** 2 / variance)
    if beta > 0:
        nll = nll * variance.detach() ** beta
    return nll.mean()
