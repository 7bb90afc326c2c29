import torch
import torch.nn.functional as F


def _variance(x, eps=1e-4):
    x = x - x.mean(dim=0)
    var = x.pow(2).sum(dim=0) / max(x.shape[0] - 1, 1)
    return F.relu(1 - torch.sqrt(var + eps)).mean()


def _covariance(x):
    n, d = x.shape
    x = x - x.mean(dim=0)
    cov = x.t() @ x / max(n - 1, 1)
    off = cov - torch.diag(torch.diagonal(cov))
    return off.pow(2).sum() / d


def vicreg(x, y, sim=25.0, std=25.0, cov=1.0):
    """VICReg on two batches of embeddings (N, D).

    The variance term is the mean over the two branches, the covariance term
    their sum. Returns (total, invariance, variance, covariance).
    """
    inv = F.mse_loss(x, y)
    var = (_variance(x) + _variance(y)) / 2
    c = _covariance(x) + _covariance(y)
    return sim * inv + std * var + cov * c, inv, var, c
