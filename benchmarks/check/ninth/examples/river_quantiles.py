import torch


def make_example():
    torch.manual_seed(0)
    y_pred = torch.randn(10, 3, requires_grad=True)
    y = torch.randn(10)
    return y_pred, y
