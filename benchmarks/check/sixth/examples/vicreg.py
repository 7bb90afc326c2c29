import torch


def make_batch():
    g = torch.Generator().manual_seed(110)
    base = torch.randn(32, 24, generator=g)
    return base + 0.2 * torch.randn(32, 24, generator=g), base + 0.2 * torch.randn(32, 24, generator=g)
