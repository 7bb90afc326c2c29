import torch
import torch.nn as nn


def split_params(out):
    """(N, 2D) network output -> mean and variance parameters, (N, D) each."""
    mu, log_var = out.chunk(2, dim=-1)
    return mu, log_var.exp()


class GaussianHeadNLL(nn.Module):
    """NLL (without the constant) of a head that predicts mean and log variance."""

    def forward(self, out, y):
        mu, log_var = split_params(out)
        nll = 0.5 * (log_var + (y - mu) ** 2 * torch.exp(-log_var))
        return nll.sum(dim=-1).mean()
