import torch


def make_example():
    torch.manual_seed(0)
    fake = torch.randn(8, 1, requires_grad=True)
    real = torch.randn(8, 1, requires_grad=True)
    return fake, real
