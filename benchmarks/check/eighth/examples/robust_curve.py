import torch


def make_example():
    torch.manual_seed(0)
    y = torch.randn(16)
    f = torch.randn(16, requires_grad=True)
    return y, f
