import torch


def make_batch():
    g = torch.Generator().manual_seed(26)
    mu = 0.3 * torch.randn(64, 32, generator=g)
    rho = torch.full((64, 32), -3.0)
    w = mu + torch.nn.functional.softplus(rho) * torch.randn(64, 32, generator=g)
    return w, mu, rho, 100
