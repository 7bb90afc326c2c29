import torch


def make():
    g = torch.Generator().manual_seed(106)
    xy = torch.rand(6, 2, generator=g) * 100
    wh = torch.rand(6, 2, generator=g) * 40 + 4
    t = torch.cat([xy, xy + wh], 1)
    return (t + 3 * torch.randn(6, 4, generator=g)).requires_grad_(), t
