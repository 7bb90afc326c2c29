import torch


def make():
    a = torch.tensor(1.5, requires_grad=True)
    b = torch.tensor(0.2, requires_grad=True)
    return a, b
