import torch


def make_batch():
    g = torch.Generator().manual_seed(150)
    xy = torch.rand(8, 2, generator=g) * 50
    boxes2 = torch.cat([xy, xy + 5 + torch.rand(8, 2, generator=g) * 30], dim=1)
    shift = torch.randn(8, 4, generator=g) * 2
    boxes1 = boxes2 + shift
    weight = torch.rand(8, generator=g) + 0.5
    return boxes1, boxes2, weight
