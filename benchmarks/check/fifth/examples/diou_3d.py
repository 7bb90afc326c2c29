import torch


def make():
    g = torch.Generator().manual_seed(24)
    target = torch.cat([torch.randn(6, 3, generator=g) * 3, torch.rand(6, 3, generator=g) * 2 + 0.5], 1)
    pred = target + 0.2 * torch.randn(6, 6, generator=g)
    return pred.requires_grad_(), target
