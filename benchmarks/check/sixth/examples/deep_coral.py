import torch


def make_batch():
    g = torch.Generator().manual_seed(25)
    y = torch.randint(0, 4, (32,), generator=g)
    pred = torch.randn(32, 4, generator=g)
    fs = torch.randn(32, 16, generator=g)
    ft = torch.randn(32, 16, generator=g) @ (torch.eye(16) + 0.3 * torch.randn(16, 16, generator=g)) + 0.5
    return y, pred, fs, ft
