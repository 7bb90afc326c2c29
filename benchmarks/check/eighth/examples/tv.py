import torch


def make_example():
    torch.manual_seed(0)
    img = torch.rand(2, 3, 16, 16, requires_grad=True)
    return (img,)
