import torch


def make_example():
    torch.manual_seed(0)
    return torch.randn(8, 32).requires_grad_(), torch.randn(8, 32).requires_grad_()
