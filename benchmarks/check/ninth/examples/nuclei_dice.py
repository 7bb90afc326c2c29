import torch


def make_example():
    torch.manual_seed(0)
    target = (torch.rand(4, 16, 16) > 0.6).float()
    input = torch.randn(4, 16, 16, requires_grad=True)
    return target, input
