import torch


def make_batch():
    g = torch.Generator().manual_seed(120)
    xy = torch.rand(8, 2, generator=g) * 50
    target = torch.cat([xy, xy + 5 + torch.rand(8, 2, generator=g) * 30], dim=1)
    shift = torch.randn(8, 4, generator=g) * 2
    pred = target + shift
    return pred, target
