import torch


def make_batch():
    g = torch.Generator().manual_seed(114)
    target = torch.rand(2, 3, 32, 32, generator=g)
    return [target + 0.1 * torch.randn(2, 3, 32, 32, generator=g) for _ in range(3)], target
