import torch


def make_batch():
    g = torch.Generator().manual_seed(109)
    labels = torch.arange(8).repeat_interleave(3)
    centers = torch.randn(8, 32, generator=g)
    return centers[labels] + 0.8 * torch.randn(24, 32, generator=g), labels
