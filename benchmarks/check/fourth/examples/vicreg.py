import torch


def make_batch():
    g = torch.Generator().manual_seed(144)
    x = torch.randn(16, 8, generator=g)
    y = x + 0.3 * torch.randn(16, 8, generator=g)
    return x, y
