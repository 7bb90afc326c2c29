import torch


def make():
    g = torch.Generator().manual_seed(128)
    hist = 20 + 3 * torch.randn(4, 30, generator=g)
    y = 20 + 3 * torch.randn(4, 8, generator=g)
    return (y + torch.randn(4, 8, generator=g)).requires_grad_(), y, hist
