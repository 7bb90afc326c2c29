import torch


def make_example():
    torch.manual_seed(0)
    return torch.randn(16, 4).requires_grad_(), torch.randint(0, 5, (16,)), 5
