import torch


def make_batch():
    g = torch.Generator().manual_seed(106)
    target = torch.rand(4, 17, 16, 12, generator=g) ** 6
    output = target + 0.4 * torch.randn(4, 17, 16, 12, generator=g)
    weight = (torch.rand(4, 17, 1, generator=g) > 0.2).float()
    return output, target, weight
