import torch


def make_example():
    torch.manual_seed(0)
    pred = torch.randn(16, 1, requires_grad=True)
    target = torch.randn(16)
    return pred, target
