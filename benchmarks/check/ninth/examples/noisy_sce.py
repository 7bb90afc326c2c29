import torch


def make_example():
    torch.manual_seed(0)
    out = torch.randn(8, 6, requires_grad=True)
    y = torch.randint(0, 6, (8,))
    return out, y
