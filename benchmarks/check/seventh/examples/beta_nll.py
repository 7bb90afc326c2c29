import torch


def make_example():
    torch.manual_seed(0)
    return torch.randn(16, 3).requires_grad_(), torch.randn(16, 3).requires_grad_(), torch.randn(16, 3)
