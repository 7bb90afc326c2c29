import torch


def make():
    g = torch.Generator().manual_seed(120)
    return torch.randn(12, generator=g).requires_grad_(), torch.randint(1, 8, (12,), generator=g).float(), (torch.rand(12, generator=g) > 0.4).long()
