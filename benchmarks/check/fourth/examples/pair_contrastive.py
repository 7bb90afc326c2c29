import torch


def make_batch():
    g = torch.Generator().manual_seed(142)
    a = torch.randn(16, 6, generator=g) * 0.4
    b = torch.randn(16, 6, generator=g) * 0.4
    y = torch.randint(0, 2, (16,), generator=g)
    return a, b, y
