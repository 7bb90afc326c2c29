import torch


def make_example():
    torch.manual_seed(0)
    y_pred = torch.sigmoid(torch.randn(6, 12)).requires_grad_()
    y_true = (torch.rand(6, 12) > 0.8).float()
    return y_pred, y_true
