import torch


def make_example():
    torch.manual_seed(0)
    y_hat = torch.randn(8, 6, 3, requires_grad=True)
    y = torch.randn(8, 6)
    return y_hat, y
