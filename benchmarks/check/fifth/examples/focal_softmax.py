import torch


def make():
    g = torch.Generator().manual_seed(103)
    y = torch.randint(0, 5, (10,), generator=g)
    y[3] = -100
    return torch.randn(10, 5, generator=g).requires_grad_(), y
