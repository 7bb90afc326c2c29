import torch


def make_batch():
    g = torch.Generator().manual_seed(111)
    labels = torch.randint(0, 60, (3, 16), generator=g)
    labels[:, :4] = -100
    labels[1, 12:] = -100
    return torch.randn(3, 16, 60, generator=g) * 2, labels
