import torch


def make_batch():
    g = torch.Generator().manual_seed(115)
    p1, p2, z1, z2 = torch.randn(4, 8, 16, generator=g).unbind(0)
    return p1, p2, z1, z2
