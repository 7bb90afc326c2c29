import torch


def make():
    g = torch.Generator().manual_seed(122)
    y = 0.3 * torch.randn(2, 4000, generator=g)
    return (y + 0.05 * torch.randn(2, 4000, generator=g)).requires_grad_(), y
