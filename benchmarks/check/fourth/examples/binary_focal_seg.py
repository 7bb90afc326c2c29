import torch


def make_batch():
    g = torch.Generator().manual_seed(100)
    logits = torch.randn(4, 1, 16, 16, generator=g) * 2
    target = (torch.rand(4, 1, 16, 16, generator=g) > 0.6).float()
    return logits, target
