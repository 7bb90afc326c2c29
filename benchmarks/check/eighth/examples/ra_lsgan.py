import torch


def make_example():
    torch.manual_seed(0)
    real = torch.randn(8, 1, requires_grad=True)
    fake = torch.randn(8, 1, requires_grad=True)
    return real, fake
