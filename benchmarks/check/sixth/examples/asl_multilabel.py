import torch


def make_batch():
    g = torch.Generator().manual_seed(101)
    x = torch.randn(8, 20, generator=g) * 2
    y = (torch.rand(8, 20, generator=g) < 0.15).long()
    y[torch.rand(8, 20, generator=g) < 0.1] = -1
    return x, y
