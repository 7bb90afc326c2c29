import torch


def make_example():
    torch.manual_seed(0)
    y_true = (torch.rand(2, 1, 16, 16) > 0.8).float()
    y_pred = torch.randn(2, 1, 16, 16, requires_grad=True)
    return y_true, y_pred
