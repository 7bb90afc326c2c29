import torch


def make_example():
    torch.manual_seed(0)
    out = torch.rand(2, 3, 24, 24, requires_grad=True)
    ref = torch.rand(2, 3, 24, 24)
    return out, ref
