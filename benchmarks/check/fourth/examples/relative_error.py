import torch


def make_batch():
    g = torch.Generator().manual_seed(136)
    target = torch.randn(20, 3, generator=g) * 5
    pred = target + torch.randn(20, 3, generator=g)
    mask = torch.rand(20, 3, generator=g) > 0.2
    return pred, target, mask
