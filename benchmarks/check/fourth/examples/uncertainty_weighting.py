import torch


def make_batch():
    g = torch.Generator().manual_seed(158)
    losses = torch.rand(2, generator=g) + 0.2
    return ([losses[0], losses[1]],)
