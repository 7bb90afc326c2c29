import torch


def make():
    g = torch.Generator().manual_seed(5)
    xy = torch.rand(6, 2, generator=g) * 100
    wh = torch.rand(6, 2, generator=g) * 50 + 5
    target = torch.cat([xy, xy + wh], 1)
    pred = target + torch.randn(6, 4, generator=g) * 3
    return pred.requires_grad_(), target
