import torch


def make():
    g = torch.Generator().manual_seed(14)
    s = torch.randn(2, 5, 6, 6, generator=g).requires_grad_()
    t = 2 * torch.randn(2, 5, 6, 6, generator=g)
    y = torch.randint(0, 5, (2, 6, 6), generator=g)
    y[0, 0] = 255
    return s, t, y
