import torch


def make_batch():
    g = torch.Generator().manual_seed(121)
    xy = torch.rand(8, 2, generator=g) * 50
    gt = torch.cat([xy, xy + 5 + torch.rand(8, 2, generator=g) * 30], dim=1)
    shift = torch.randn(8, 4, generator=g) * 2
    pred = gt + shift
    return pred, gt
