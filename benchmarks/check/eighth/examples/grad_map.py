import torch


def make_example():
    torch.manual_seed(0)
    pred = torch.rand(2, 3, 16, 16, requires_grad=True)
    target = torch.rand(2, 3, 16, 16)
    return pred, target
