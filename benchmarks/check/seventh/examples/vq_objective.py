import torch


def make_example():
    torch.manual_seed(0)
    z = torch.randn(2, 8, 6, 6).requires_grad_()
    x = torch.rand(2, 3, 24, 24)
    x_rec = torch.rand(2, 3, 24, 24).requires_grad_()
    return z, x_rec, x
