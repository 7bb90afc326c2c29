import torch


def make_example():
    torch.manual_seed(0)
    z = torch.randn(6, 8, requires_grad=True)
    y = (torch.rand(6, 8) > 0.7).float()
    return z, y
