import torch


def make_batch():
    g = torch.Generator().manual_seed(130)
    logits = torch.randn(4, 1, 16, 16, generator=g) * 2
    mask = (torch.rand(4, 1, 16, 16, generator=g) > 0.6).float()
    return logits, mask
