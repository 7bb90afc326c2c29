import torch


def make_example():
    torch.manual_seed(0)
    output = torch.randn(16, 2, requires_grad=True)
    target = torch.randn(16)
    return output, target
