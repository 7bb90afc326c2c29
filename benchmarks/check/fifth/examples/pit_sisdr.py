import torch


def make():
    g = torch.Generator().manual_seed(123)
    r = torch.randn(3, 2, 500, generator=g)
    return (r.flip(1) + 0.3 * torch.randn(3, 2, 500, generator=g)).requires_grad_(), r
