import torch


def make_example():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 16, 16, requires_grad=True)
    y = torch.rand(2, 3, 16, 16)
    return x, y
