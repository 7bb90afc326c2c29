import torch


def make():
    g = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 4, 12, 12, generator=g).requires_grad_()
    target = torch.randint(0, 4, (2, 12, 12), generator=g)
    return logits, target
