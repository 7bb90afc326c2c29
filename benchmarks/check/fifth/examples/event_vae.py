import torch


def make():
    g = torch.Generator().manual_seed(10)
    r = torch.randn(3, 6, 5, generator=g).requires_grad_()
    t = torch.randn(3, 6, 5, generator=g)
    mu = torch.randn(3, 6, 4, generator=g).requires_grad_()
    lv = (0.3 * torch.randn(3, 6, 4, generator=g)).requires_grad_()
    mask = torch.arange(6)[None] < torch.tensor([6, 4, 2])[:, None]
    return r, t, mu, lv, mask
