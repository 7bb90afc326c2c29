import torch


def make():
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 16, 16, generator=g).requires_grad_()
    target = (torch.rand(2, 16, 16, generator=g) > 0.7).long()
    valid = (torch.rand(2, 16, 16, generator=g) > 0.2).long()
    return logits, target, valid
