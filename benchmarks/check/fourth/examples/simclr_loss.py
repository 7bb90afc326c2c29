import torch


def make_batch():
    g = torch.Generator().manual_seed(114)
    z1 = torch.randn(8, 16, generator=g)
    z2 = z1 + 0.3 * torch.randn(8, 16, generator=g)
    return z1, z2
