import torch


def make_batch():
    g = torch.Generator().manual_seed(131)
    logits = torch.randn(3, 1, 16, 16, generator=g) * 2
    target = (torch.rand(3, 1, 16, 16, generator=g) > 0.6).float()
    roi = (torch.rand(3, 1, 16, 16, generator=g) > 0.2).float()
    return logits, target, roi
