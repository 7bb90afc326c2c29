import torch


def make_example():
    torch.manual_seed(0)
    hazard = torch.randn(8, 1, requires_grad=True)
    time = torch.rand(8, 1) * 10
    event = torch.tensor([1, 0, 1, 1, 0, 1, 0, 1.0]).view(8, 1)
    return hazard, time, event
