import torch


def make():
    g = torch.Generator().manual_seed(108)
    return torch.randn(20, generator=g).requires_grad_(), torch.randn(20, generator=g)
