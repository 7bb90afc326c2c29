import torch


def make_example():
    torch.manual_seed(0)
    preds = torch.randn(16, 5).requires_grad_()
    labels = torch.randint(0, 5, (16,))
    return preds, labels
