import torch


def make():
    g = torch.Generator().manual_seed(117)
    y = torch.randint(0, 20, (3, 7), generator=g)
    y[1, 5:] = -100
    return torch.randn(3, 7, 20, generator=g).requires_grad_(), y
