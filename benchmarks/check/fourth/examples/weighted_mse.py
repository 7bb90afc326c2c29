import torch


def make_batch():
    g = torch.Generator().manual_seed(108)
    pred = torch.randn(16, 1, generator=g)
    target = torch.randn(16, generator=g)
    weight = torch.rand(16, generator=g) + 0.5
    return pred, target, weight
