import torch


def make_batch():
    g = torch.Generator().manual_seed(107)
    target = torch.rand(3, 32, 32, generator=g) * 5
    pred = 0.5 * target + 2 + 0.3 * torch.randn(3, 32, 32, generator=g)
    return pred, target, torch.rand(3, 32, 32, generator=g) > 0.2
