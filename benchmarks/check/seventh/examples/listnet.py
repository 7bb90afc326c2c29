import torch


def make_example():
    torch.manual_seed(0)
    y_pred = torch.randn(4, 8).requires_grad_()
    y_true = torch.randint(0, 5, (4, 8)).float()
    y_true[0, 6:] = -1
    y_true[2, 3:] = -1
    return y_pred, y_true
