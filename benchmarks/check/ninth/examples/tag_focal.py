import torch


def make_example():
    torch.manual_seed(0)
    y_pred = torch.sigmoid(torch.randn(8, 6, requires_grad=True))
    y_true = (torch.rand(8, 6) > 0.7).float()
    return y_pred, y_true
