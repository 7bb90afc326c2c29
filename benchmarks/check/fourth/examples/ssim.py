import torch


def make_batch():
    g = torch.Generator().manual_seed(122)
    y = torch.rand(2, 3, 24, 24, generator=g)
    x = (y + 0.1 * torch.randn(2, 3, 24, 24, generator=g)).clamp(0, 1)
    return x, y
