import torch


def make_batch():
    g = torch.Generator().manual_seed(140)
    risk = torch.randn(16, 1, generator=g)
    time = torch.randint(1, 12, (16,), generator=g).float()
    event = (torch.rand(16, generator=g) < 0.6).float()
    return risk, time, event
