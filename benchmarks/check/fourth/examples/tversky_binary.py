import torch


def make_batch():
    g = torch.Generator().manual_seed(101)
    logits = torch.randn(3, 1, 24, 20, generator=g) * 2
    target = (torch.rand(3, 1, 24, 20, generator=g) > 0.6).float()
    return logits, target
