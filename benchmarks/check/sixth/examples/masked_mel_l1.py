import torch


def make_batch():
    g = torch.Generator().manual_seed(22)
    lens = torch.tensor([200, 140, 60, 95])
    keep = (torch.arange(200)[None] < lens[:, None]).float()[:, None]
    target = torch.rand(4, 80, 200, generator=g) * 4 * keep
    x = target + 0.5 * torch.randn(4, 80, 200, generator=g) + 1.5 * (1 - keep)
    return x, target, lens
