import torch


def make_batch():
    g = torch.Generator().manual_seed(147)
    x = torch.rand(4, 1, 14, 14, generator=g)
    x_hat = torch.rand(4, 1, 14, 14, generator=g)
    mu = torch.randn(4, 8, generator=g)
    log_var = torch.randn(4, 8, generator=g) * 0.5
    return x_hat, x, mu, log_var
