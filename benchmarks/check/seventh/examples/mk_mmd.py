import torch


def make_example():
    torch.manual_seed(0)
    return torch.randn(16, 8).requires_grad_(), (torch.randn(12, 8) + 0.5).requires_grad_()
