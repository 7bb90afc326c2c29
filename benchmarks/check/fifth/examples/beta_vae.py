import torch


def make():
    g = torch.Generator().manual_seed(111)
    return (
        torch.randn(4, 1, 8, 8, generator=g).requires_grad_(),
        torch.rand(4, 1, 8, 8, generator=g),
        torch.randn(4, 6, generator=g).requires_grad_(),
        (0.5 * torch.randn(4, 6, generator=g)).requires_grad_(),
    )
