import torch


def make_example():
    torch.manual_seed(0)
    f = (torch.rand(24) * 10).requires_grad_()
    a = torch.rand(24) * 10
    a[3] = float("nan")
    return f, a
