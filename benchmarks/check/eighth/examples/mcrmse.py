import torch


def make_example():
    torch.manual_seed(0)
    y = torch.randn(4, 20, 5)
    y_hat = torch.randn(4, 20, 5, requires_grad=True)
    return y, y_hat
