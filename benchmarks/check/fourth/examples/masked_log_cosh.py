import torch


def make_batch():
    g = torch.Generator().manual_seed(137)
    target = torch.randn(16, 4, generator=g) * 3
    pred = target + torch.randn(16, 4, generator=g)
    target[torch.rand(16, 4, generator=g) < 0.2] = float("nan")
    return pred, target
