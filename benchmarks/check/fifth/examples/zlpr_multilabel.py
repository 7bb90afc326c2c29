import torch


def make():
    g = torch.Generator().manual_seed(104)
    return torch.randn(6, 12, generator=g).requires_grad_(), (torch.rand(6, 12, generator=g) > 0.75).float()
