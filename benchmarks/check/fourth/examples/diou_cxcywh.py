import torch


def make_batch():
    g = torch.Generator().manual_seed(151)
    target = torch.rand(2, 10, 4, generator=g) * 0.4 + 0.2
    pred = (target + 0.05 * torch.randn(2, 10, 4, generator=g)).clamp(min=0.02)
    positive = torch.rand(2, 10, generator=g) < 0.4
    return pred, target, positive
