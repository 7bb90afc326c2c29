import torch


def make_batch():
    g = torch.Generator().manual_seed(117)
    return (torch.randn(32, 2, generator=g), torch.randn(32, 2, generator=g),
            torch.randn(32, 2, generator=g), torch.rand(32, 2, generator=g) > 0.2)
