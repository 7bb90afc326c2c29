import torch


def make_example():
    torch.manual_seed(0)
    prediction = torch.randn(12, requires_grad=True)
    target = torch.randn(12) * 3
    return prediction, target
