import torch


def make():
    g = torch.Generator().manual_seed(25)
    target = torch.rand(3, 1, 10, 12, generator=g) * 9 + 0.5
    mask = torch.rand(3, 1, 10, 12, generator=g) > 0.3
    pred = target * torch.exp(torch.tensor([0.5, 0.05, 0.2]).view(3, 1, 1, 1) * torch.randn(3, 1, 10, 12, generator=g)) * torch.tensor([1.0, 0.3, 1.7]).view(3, 1, 1, 1)
    return pred.requires_grad_(), target, mask
