import torch


def make():
    g = torch.Generator().manual_seed(113)
    s = [torch.randn(4, 64, generator=g).requires_grad_() for _ in range(4)]
    t = [torch.randn(4, 64, generator=g) for _ in range(2)]
    return s, t
