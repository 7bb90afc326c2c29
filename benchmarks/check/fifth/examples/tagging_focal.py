import torch


def make():
    g = torch.Generator().manual_seed(3)
    logits = torch.randn(4, 10, generator=g).requires_grad_()
    return logits, (torch.rand(4, 10, generator=g) > 0.8).float()
