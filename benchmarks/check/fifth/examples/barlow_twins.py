import torch


def make():
    g = torch.Generator().manual_seed(12)
    a = torch.randn(32, 16, generator=g)
    b = a + 0.2 * torch.randn(32, 16, generator=g)
    return a.requires_grad_(), b.requires_grad_()
