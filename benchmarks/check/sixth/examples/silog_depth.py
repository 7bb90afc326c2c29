import torch


def make_batch():
    g = torch.Generator().manual_seed(3)
    gt = torch.rand(4, 1, 24, 32, generator=g) * 9 + 1
    est = gt * torch.exp(0.3 * torch.randn(4, 1, 24, 32, generator=g) + 0.8 * torch.randn(4, 1, 1, 1, generator=g))
    mask = torch.rand(4, 1, 24, 32, generator=g) < 0.7
    return est, gt * mask, mask
