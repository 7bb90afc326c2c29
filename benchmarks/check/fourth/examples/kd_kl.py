import torch


def make_batch():
    g = torch.Generator().manual_seed(116)
    y_s = torch.randn(8, 10, generator=g)
    y_t = torch.randn(8, 10, generator=g) * 3
    labels = torch.randint(0, 10, (8,), generator=g)
    return y_s, y_t, labels
