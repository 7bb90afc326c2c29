import torch


def make():
    g = torch.Generator().manual_seed(22)
    t = torch.randn(4, 2, 400, generator=g)
    e = t + 0.5 * torch.randn(4, 2, 400, generator=g)
    e[1::2] = e[1::2].flip(1)
    return e.requires_grad_(), t
