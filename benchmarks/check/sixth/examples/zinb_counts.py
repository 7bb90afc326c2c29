import torch


def make_batch():
    g = torch.Generator().manual_seed(118)
    x = torch.poisson(torch.rand(6, 50, generator=g) * 3, generator=g)
    scale = torch.softmax(torch.randn(6, 50, generator=g), dim=-1)
    return x, scale, x.sum(1, keepdim=True).clamp(min=1).log(), torch.randn(6, 50, generator=g)
