import torch


def make_batch():
    g = torch.Generator().manual_seed(121)
    old = -torch.rand(64, generator=g) * 3
    oldv = torch.randn(64, generator=g)
    return (old + 0.2 * torch.randn(64, generator=g), old, torch.randn(64, generator=g),
            (oldv + 0.3 * torch.randn(64, generator=g)).unsqueeze(1), oldv,
            oldv + torch.randn(64, generator=g), torch.rand(64, generator=g))
