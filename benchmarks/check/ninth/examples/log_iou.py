import torch


def make_example():
    torch.manual_seed(0)
    p = torch.sigmoid(torch.randn(3, 16, 16, requires_grad=True))
    m = (torch.rand(3, 16, 16) > 0.5).float()
    return p, m
