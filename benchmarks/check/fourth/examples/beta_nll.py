import torch


def make_batch():
    g = torch.Generator().manual_seed(157)
    mean = torch.randn(16, 1, generator=g)
    variance = torch.nn.functional.softplus(torch.randn(16, 1, generator=g)) + 1e-3
    target = torch.randn(16, 1, generator=g)
    return mean, variance, target
