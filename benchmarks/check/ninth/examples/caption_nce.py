import torch


def make_example():
    torch.manual_seed(0)
    img = torch.randn(6, 16, requires_grad=True)
    txt = torch.randn(6, 16, requires_grad=True)
    return img, txt
