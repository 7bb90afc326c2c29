import torch


def make():
    g = torch.Generator().manual_seed(121)
    y = torch.rand(2, 3, 24, 24, generator=g)
    return (y + 0.1 * torch.randn(2, 3, 24, 24, generator=g)).clamp(0, 1).requires_grad_(), y
