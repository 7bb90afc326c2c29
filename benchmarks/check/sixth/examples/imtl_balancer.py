import torch


def make_batch():
    g = torch.Generator().manual_seed(15)
    losses = [v for v in torch.rand(3, generator=g) * torch.tensor([1.0, 10.0, 0.1])]
    return (losses,)
