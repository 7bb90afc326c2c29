import torch


def make_example():
    torch.manual_seed(0)
    return tuple(torch.randn(32, 16).requires_grad_() for _ in range(3))
