import torch


def make_example():
    torch.manual_seed(0)
    mean = torch.randn(16, requires_grad=True)
    raw_var = torch.randn(16, requires_grad=True)
    target = torch.randn(16)
    return mean, raw_var, target
