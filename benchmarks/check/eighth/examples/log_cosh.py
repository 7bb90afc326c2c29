import torch


def make_example():
    torch.manual_seed(0)
    y_pred = torch.randn(16, requires_grad=True)
    y_true = torch.randn(16)
    return y_pred, y_true
