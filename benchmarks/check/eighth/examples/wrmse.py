import torch


def make_example():
    torch.manual_seed(0)
    pred = torch.randn(16, requires_grad=True)
    target = torch.randn(16)
    weight = torch.rand(16) + 0.1
    return pred, target, weight
