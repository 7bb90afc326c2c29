import torch


def make_example():
    torch.manual_seed(0)
    phi = torch.randn(6, 5, requires_grad=True)
    interval = torch.tensor([0, 2, 4, 1, 3, 4])
    event = torch.tensor([1, 0, 1, 1, 0, 0])
    return phi, interval, event
