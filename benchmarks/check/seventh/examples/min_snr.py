import torch


def make_example():
    torch.manual_seed(0)
    x0 = torch.randn(6, 3, 16, 16)
    noise = torch.randn(6, 3, 16, 16)
    pred = torch.randn(6, 3, 16, 16).requires_grad_()
    t = torch.tensor([10, 150, 300, 500, 700, 950])
    return pred, x0, noise, t
