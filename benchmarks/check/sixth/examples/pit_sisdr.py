import torch


def make_batch():
    g = torch.Generator().manual_seed(113)
    targets = torch.randn(3, 2, 4000, generator=g)
    est = targets.flip(1) * 0.7 + 0.3 * torch.randn(3, 2, 4000, generator=g)
    return est, targets
