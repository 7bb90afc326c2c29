import torch


def make():
    g = torch.Generator().manual_seed(107)
    ys, xs = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    c = torch.randint(0, 16, (2, 5, 2), generator=g).float()
    gt = torch.exp(-((xs - c[..., 0, None, None]) ** 2 + (ys - c[..., 1, None, None]) ** 2) / 8)
    w = torch.ones(2, 5)
    w[1, 2] = 0
    return (torch.randn(2, 5, 16, 16, generator=g) - 2).requires_grad_(), gt, w
