import torch


def make_example():
    torch.manual_seed(0)
    x = torch.randn(8, 4, requires_grad=True)
    y = torch.tensor([0, 1, 2, 3, -100, 1, 0, 2])
    return x, y
