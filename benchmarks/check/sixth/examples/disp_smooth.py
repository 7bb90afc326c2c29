import torch


def make_batch():
    g = torch.Generator().manual_seed(4)
    disp = [torch.rand(2, 1, 64 // 2 ** i, 96 // 2 ** i, generator=g) * 0.3 for i in range(4)]
    image = torch.rand(2, 3, 64, 96, generator=g)
    return disp, image
