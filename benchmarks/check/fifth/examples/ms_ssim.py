import torch


def make():
    g = torch.Generator().manual_seed(20)
    y = torch.rand(2, 3, 48, 48, generator=g)
    x = (y + 0.1 * torch.randn(2, 3, 48, 48, generator=g)).clamp(0, 1)
    return x.requires_grad_(), y
