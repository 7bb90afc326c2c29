import torch


def make_example():
    torch.manual_seed(0)
    x = torch.randn(4, 20, requires_grad=True)
    y = (torch.rand(4, 20) > 0.85).float()
    return x, y
