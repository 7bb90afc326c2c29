import torch


def make_example():
    torch.manual_seed(0)
    inputs = torch.randn(2, 1, 16, 16, requires_grad=True)
    target = (torch.rand(2, 1, 16, 16) > 0.7).float()
    return inputs, target
