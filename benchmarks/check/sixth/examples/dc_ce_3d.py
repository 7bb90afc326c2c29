import torch


def make_batch():
    g = torch.Generator().manual_seed(103)
    return torch.randn(2, 3, 8, 12, 12, generator=g), torch.randint(0, 3, (2, 1, 8, 12, 12), generator=g)
