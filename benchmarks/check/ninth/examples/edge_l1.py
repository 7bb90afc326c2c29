import torch


def make_example():
    torch.manual_seed(0)
    sr = torch.rand(2, 3, 12, 12, requires_grad=True)
    hr = torch.rand(2, 3, 12, 12)
    return sr, hr
