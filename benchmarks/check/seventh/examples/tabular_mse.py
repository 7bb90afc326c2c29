import torch


def make_example():
    torch.manual_seed(0)
    y_true = torch.randn(32, 1)
    y_pred = (y_true.squeeze(1) + 0.1 * torch.randn(32)).requires_grad_()
    return y_pred, y_true
