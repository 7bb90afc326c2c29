import torch


def make_batch():
    g = torch.Generator().manual_seed(105)
    logits = torch.randn(8, 10, generator=g) * 2
    targets = (torch.rand(8, 10, generator=g) < 0.3).float()
    return logits, targets
