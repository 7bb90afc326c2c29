import torch


def make_batch():
    g = torch.Generator().manual_seed(149)
    real = [torch.randn(4, 1, 8, 8, generator=g), torch.randn(4, 1, 4, 4, generator=g)]
    fake = [torch.randn(4, 1, 8, 8, generator=g), torch.randn(4, 1, 4, 4, generator=g)]
    return real, fake
