import torch


def make_batch():
    g = torch.Generator().manual_seed(18)
    target = torch.cat([torch.rand(6, 2, generator=g) * 64, torch.rand(6, 2, generator=g) * 20 + 5,
                        (torch.rand(6, 1, generator=g) - 0.5) * 3.0], dim=1)
    pred = target + torch.randn(6, 5, generator=g) * torch.tensor([2., 2., 1., 1., 0.2])
    return pred, target
