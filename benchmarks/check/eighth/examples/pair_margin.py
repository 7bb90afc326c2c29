import torch


def make_example():
    torch.manual_seed(0)
    a = torch.randn(8, 16, requires_grad=True)
    b = torch.randn(8, 16, requires_grad=True)
    Y = torch.randint(0, 2, (8,)).float()
    return a, b, Y
