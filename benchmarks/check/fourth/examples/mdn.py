import torch


def make_batch():
    g = torch.Generator().manual_seed(126)
    pi_logits = torch.randn(16, 3, generator=g)
    mu = torch.randn(16, 3, generator=g)
    sigma = torch.nn.functional.softplus(torch.randn(16, 3, generator=g)) + 0.05
    y = torch.randn(16, generator=g)
    return pi_logits, mu, sigma, y
