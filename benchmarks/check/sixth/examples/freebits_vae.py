import torch


def make_batch():
    g = torch.Generator().manual_seed(124)
    x = (torch.rand(8, 1, 16, 16, generator=g) < 0.4).float()
    return (torch.randn(8, 1, 16, 16, generator=g), x,
            torch.randn(8, 10, generator=g) * 0.6, torch.randn(8, 10, generator=g) * 0.4)
