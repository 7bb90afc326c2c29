import torch


def make_batch():
    g = torch.Generator().manual_seed(20)
    return torch.randn(16, 128, generator=g), torch.randint(0, 10, (16,), generator=g)
