import torch


def make_batch():
    g = torch.Generator().manual_seed(19)
    t = torch.arange(8000) / 16000.0
    y = torch.stack([torch.sin(2 * torch.pi * f * t) for f in (220.0, 330.0)])
    x = y + 0.1 * torch.randn(2, 8000, generator=g)
    keep = torch.ones(2, 8000)
    keep[1, 4000:] = 0
    return x * keep, y * keep
