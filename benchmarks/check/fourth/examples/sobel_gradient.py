import torch


def make_batch():
    g = torch.Generator().manual_seed(123)
    pred = torch.rand(2, 1, 16, 16, generator=g)
    target = torch.rand(2, 1, 16, 16, generator=g)
    return pred, target
