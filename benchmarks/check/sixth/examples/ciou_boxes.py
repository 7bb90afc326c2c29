import torch


def make_batch():
    g = torch.Generator().manual_seed(104)
    xy = torch.rand(12, 2, generator=g) * 60
    wh = torch.rand(12, 2, generator=g) * 30 + 4
    target = torch.cat([xy, xy + wh], 1)
    pxy = xy + torch.randn(12, 2, generator=g) * 4
    pred = torch.cat([pxy, pxy + wh * (0.7 + 0.6 * torch.rand(12, 2, generator=g))], 1)
    return pred, target
