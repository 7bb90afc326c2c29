import torch


def make_batch():
    g = torch.Generator().manual_seed(156)
    pi_logits = torch.randn(8, 3, generator=g)
    mu = torch.randn(8, 3, 2, generator=g)
    log_sigma = torch.randn(8, 3, 2, generator=g) * 0.5
    y = torch.randn(8, 2, generator=g)
    return pi_logits, mu, log_sigma, y
