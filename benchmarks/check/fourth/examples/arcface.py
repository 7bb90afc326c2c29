import torch


def make_batch():
    g = torch.Generator().manual_seed(113)
    x = torch.randn(8, 16, generator=g)
    label = torch.randint(0, 10, (8,), generator=g)
    return x, label
