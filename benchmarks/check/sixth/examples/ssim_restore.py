import torch


def make_batch():
    g = torch.Generator().manual_seed(27)
    gt = torch.rand(2, 3, 32, 32, generator=g)
    img = (gt + 0.2 * torch.randn(2, 3, 32, 32, generator=g)).clamp(0, 1)
    return img, gt
