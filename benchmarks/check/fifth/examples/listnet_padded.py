import torch


def make():
    g = torch.Generator().manual_seed(118)
    m = torch.arange(6)[None] < torch.tensor([6, 3, 1])[:, None]
    return torch.randn(3, 6, generator=g).requires_grad_(), torch.randint(0, 4, (3, 6), generator=g), m
