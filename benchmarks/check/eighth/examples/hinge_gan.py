import torch


def make_example():
    torch.manual_seed(0)
    d_fake = torch.randn(8, 1, requires_grad=True)
    return (d_fake,)
