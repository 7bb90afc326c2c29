import torch


def make():
    g = torch.Generator().manual_seed(9)
    pi = torch.randn(8, 5, generator=g).requires_grad_()
    mu = torch.randn(8, 5, generator=g).requires_grad_()
    ls = (0.1 * torch.randn(8, 5, generator=g)).requires_grad_()
    return pi, mu, ls, torch.randn(8, generator=g)
