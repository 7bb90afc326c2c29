import torch


def make_batch():
    g = torch.Generator().manual_seed(152)
    disp = torch.rand(2, 1, 16, 24, generator=g) + 0.1
    img = torch.rand(2, 3, 16, 24, generator=g)
    return disp, img
