import torch


def make_example():
    torch.manual_seed(0)
    return torch.randn(16, 10).requires_grad_(), torch.randint(0, 10, (16,)), (torch.rand(16) > 0.4).float()
