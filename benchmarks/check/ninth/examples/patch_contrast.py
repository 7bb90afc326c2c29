import torch


def make_example():
    torch.manual_seed(0)
    u = torch.randn(8, 12, requires_grad=True)
    v = torch.randn(8, 12, requires_grad=True)
    y = torch.randint(0, 2, (8,))
    return u, v, y
