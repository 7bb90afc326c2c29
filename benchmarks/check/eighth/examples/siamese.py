import torch


def make_example():
    torch.manual_seed(0)
    x1 = torch.randn(8, 16, requires_grad=True)
    x2 = torch.randn(8, 16, requires_grad=True)
    y = torch.randint(0, 2, (8,))
    return x1, x2, y
