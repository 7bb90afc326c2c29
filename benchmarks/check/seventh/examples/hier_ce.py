import torch


def make_example():
    torch.manual_seed(0)
    return torch.randn(12, 6).requires_grad_(), torch.randint(0, 6, (12,))
