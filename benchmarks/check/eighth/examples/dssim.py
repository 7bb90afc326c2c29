import torch


def make_example():
    torch.manual_seed(0)
    img1 = torch.rand(2, 3, 16, 16, requires_grad=True)
    img2 = torch.rand(2, 3, 16, 16)
    return img1, img2
