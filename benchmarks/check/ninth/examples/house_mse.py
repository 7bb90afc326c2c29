import torch


def make_example():
    torch.manual_seed(0)
    pred = torch.randn(10, 1, requires_grad=True)
    price = torch.randn(10)
    weight = torch.rand(10) + 0.1
    return pred, price, weight
