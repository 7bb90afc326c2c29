import torch


def make_batch():
    g = torch.Generator().manual_seed(6)
    out = torch.randn(8, 3, 16, 16, generator=g)
    target = torch.randn(8, 3, 16, 16, generator=g)
    t = torch.randint(0, 1000, (8,), generator=g)
    return out, target, t
