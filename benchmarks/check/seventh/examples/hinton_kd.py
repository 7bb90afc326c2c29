import torch


def make_example():
    torch.manual_seed(0)
    return torch.randn(16, 10).requires_grad_(), 2 * torch.randn(16, 10), torch.randint(0, 10, (16,))
