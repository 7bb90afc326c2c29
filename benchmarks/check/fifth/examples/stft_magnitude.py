import torch


def make():
    g = torch.Generator().manual_seed(21)
    t = 0.3 * torch.randn(2, 2048, generator=g)
    p = t + 0.05 * torch.randn(2, 2048, generator=g)
    return p.requires_grad_(), t
